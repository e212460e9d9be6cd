"""RECEIVE: what comes in is read into facts about members, and recorded."""
