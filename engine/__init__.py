"""Learnscope's engine: data, networks, optimizers and training, useful without the window."""
