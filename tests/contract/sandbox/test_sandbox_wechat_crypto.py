"""The platform's published test vectors, and wechatpy's reading of what we seal."""

from wechatpy.crypto import WeChatCrypto

from engage.sandbox.wechat_crypto import seal, signature

KEY = "A" * 43
APP_ID = "wxba5fad812f8e6fb9"
SAFE = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8X"
    "GT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIj"
    "df8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


def test_official_signatures_of_handshake_and_plain_post() -> None:
    assert signature("AAAAA", "1714036504", "1514711492") == "f464b24fc39322e44b38aa78f5edd27bd1441696"
    assert signature("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"


def test_official_signatures_of_a_safe_mode_post() -> None:
    timestamp, nonce = "1714112445", "415670741"
    assert signature("AAAAA", timestamp, nonce) == "6c5c811b55cc85e0e1b54100749188c20beb3f5d"
    assert signature("AAAAA", timestamp, nonce, SAFE) == "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"


def test_official_reply_is_sealed_to_the_same_bytes() -> None:
    sealed = seal(b'{"demo_resp":"good luck"}', APP_ID, KEY, b"707722b803182950")
    assert sealed == REPLY
    assert signature("AAAAA", "1713424427", "415670741", sealed) == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"


def test_wechatpy_opens_what_we_seal() -> None:
    """Every length around the block of 32, so that no padding goes wrong."""
    crypto = WeChatCrypto("token", KEY, APP_ID)
    for length in range(1, 70):
        xml = f"<xml><Content>{'茶' * length}</Content></xml>"
        sealed = seal(xml.encode(), APP_ID, KEY, b"0123456789abcdef")
        envelope = f"<xml><Encrypt>{sealed}</Encrypt></xml>"
        assert crypto.decrypt_message(envelope, signature("token", "1", "2", sealed), "1", "2") == xml
