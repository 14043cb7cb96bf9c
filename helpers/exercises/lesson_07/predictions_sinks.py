"""What the reveal of each prediction of section 2, on attention sinks, says of its options."""

EXPLANATIONS = {
    "7.f": {
        "less than 2 times the median": "Then the first position would be like any other.",
        "2 to 20 times the median": "Then the first position would be longer than others, but not of another kind.",
        "more than 20 times the median": "RMSNorm divides by the length. So layers can read a stream of any length.",
    },
    "7.g": {
        "the first position": "It attends to itself alone, whatever its token is. A model can detect that.",
        "the position of BOS": "BOS was the first token of the texts in training, so its embedding could be the trigger.",
        "both": "Then token and place would each be enough.",
        "neither": "Then the model would need BOS at its usual place.",
    },
    "7.h": {
        "1 to 5": "A few coordinates can be far larger than all others, if the axes are special.",
        "6 to 50": "Then the vector would prefer some axes, without being one of them.",
        "more than 50": "A random direction looks like this: its squared norm is spread over all axes.",
    },
    "7.i": {
        "changes by less than 0.1 nats per token": "Then later layers would not depend on this number.",
        "rises by 0.1 to 1": "Then later layers would use it, but could mostly do without.",
        "rises by more than 1": "Later layers can rely on a constant as on a bias. Without it they read a stream unlike any of training.",
    },
    "7.j": {
        "to remove the value": "Then the content of the first position would matter most.",
        "to forbid the attention": "Weights must sum to 1. So the freed attention goes to other positions, and moves their values.",
        "both change it by less than 0.1 nats per token": "Then the model could do without its sinks.",
    },
}
