"""Icons, the stylesheet and the embedded data, found through importlib.resources."""
