"""What a person who asks for a plan can have said wrong."""


class PlanError(Exception):
    """There can be no plan for what was asked; the message is for people."""
