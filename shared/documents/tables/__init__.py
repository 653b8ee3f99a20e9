"""Files of rows, as bytes: their cells with places, and the days and numbers that planners write in them."""
