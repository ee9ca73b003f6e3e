"""Looking into networks: what they are made of and what goes on in them."""
