"""The payment providers' stand-in: one loopback process that speaks their wire formats and keeps
its own record of the money, the truth that tests compare with.
"""
