"""The fold of postings into curves, lines and sites; pure."""
