"""What the reveal of each prediction of the section on circuit golf says of its options."""

EXPLANATIONS = {
    "7.y": {
        "none": "Then every behaviour needs a head that works at an earlier position.",
        "one or two": "What END can read directly from a word needs no head before it.",
        "three or more": "Then most answers could be read off the words by END alone.",
    },
    "7.z": {
        "80 % or more": "Then what was fitted to the visible prompts also holds for other names and templates.",
        "60 to 80 %": "A part of the fit belongs to the prompts on which the circuit was chosen.",
        "less than 60 %": "Then most of the fit belongs to the prompts on which the circuit was chosen.",
    },
}
