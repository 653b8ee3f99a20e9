"""The programme that planners declare: products, platforms, facility, target and horizon. All of it is pure."""
