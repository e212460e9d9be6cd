"""What becomes of changed files: planned in numbers, approved, applied, taken back."""
