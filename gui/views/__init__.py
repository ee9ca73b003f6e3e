"""One widget a file; each draws plain data and knows neither torch nor its siblings."""
