"""The journey language: YAML text → located nodes → a frozen `Journey`, with every mistake as a `Problem`."""
