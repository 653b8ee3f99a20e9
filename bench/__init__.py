"""One command for each claim about speed; each ends in a line of JSON."""
