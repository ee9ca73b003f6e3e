"""Tests. Threads share the cores as they do in the program: to be settled before anything loads torch."""

from engine.preload import share_cores

share_cores()
