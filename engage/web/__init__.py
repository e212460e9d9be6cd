"""What the outside reaches over HTTP: providers' callbacks, followers' pages, the API, health.

Whatever comes in is checked, stored in the inbox and answered; what it means is decided later, by the receive loop.
A GET changes nothing but the count of clicks.
"""
