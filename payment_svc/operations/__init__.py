"""What operators do: they look at queues, let sagas go on, and resolve by two what nobody can know
alone.
"""
