"""What an edit does to what is stored: plans, and the runs and records that they move."""
