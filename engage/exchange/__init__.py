"""Files in and out: members and events from CSV and Excel, exports for people and scripts.

What a file says becomes facts in the inbox, as if the API had been called; nothing here changes a member itself.
"""
