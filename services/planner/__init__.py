"""The planner: declares the products, platforms and programme, from a programme file or over HTTP."""
