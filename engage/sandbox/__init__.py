"""A local world for demo and tests: WeChat, an SMS gateway, a mail sink, their followers, and the shop they buy in.

Real servers on loopback that speak the providers' wire formats. The engine reaches them only over the network and
never reads what they keep; they know nothing of the engine but its public URLs and the secrets both sides share. So
nothing here imports the engine's store, channels, content or runtime: two readings of the same wire facts check each
other.
"""
