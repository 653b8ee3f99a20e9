"""The catalogue: products, platforms and the wafer model that ties megawatts to wafers."""

PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-16G", "DDR5-32G", "LP5X-16G")
