"""SMS by Aliyun Dysmsapi 2017-05-25: approved templates filled by the provider, receipts and replies by push.

`signing` (ACS3-HMAC-SHA256) and `payload` are pure, `send` is the one call, `inbound` reads SmsReport and SmsUp pushes.
"""
