"""What was measured, as a page: tables, goals and charts out of the JSON lines."""
