"""The page: a server that carries people from their browsers. [What it speaks with the page](README.md)."""
