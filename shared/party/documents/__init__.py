"""Documents at a party: the door that takes them, their register, and the lines in force."""
