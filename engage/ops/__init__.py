"""What those who run Engage look at: measures, health, and an examination of everything that can be wrong.

Nothing here is personal: labels and words are journeys, steps, channels and numbers. Must not change anything.
"""
