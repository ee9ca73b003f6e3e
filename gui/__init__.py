"""Learnscope's window."""
