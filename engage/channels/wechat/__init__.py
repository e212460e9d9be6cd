"""WeChat service accounts (服务号): customer-service and template messages, and the callbacks of followers.

`window` and `way` decide how a follower may be reached, `payload` words it, `send` hands it over, `inbound` opens and
reads callbacks. wechatpy opens and parses those (`safe_mode`, `inbound`); calls are made without it, see `send`.
"""
