"""The services of Waferline; they meet on the streams and never import one another."""
