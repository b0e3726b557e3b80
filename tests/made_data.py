"""Made tables with the schema of insurance.csv and german.data, for machines that have not got the real ones."""

import os
from pathlib import Path

import numpy as np

INSURANCE_ROWS = 120
CREDIT_ROWS = 200
REGIONS = ("northeast", "northwest", "southeast", "southwest")
CREDIT_CODES = {  # attribute number: number of codes; the code of attribute 4 after A48 is A49, then A410
    1: 4, 3: 5, 4: 11, 6: 5, 7: 5, 9: 5, 10: 3, 12: 4, 14: 3, 15: 3, 17: 4, 19: 2, 20: 2,
}  # fmt: skip
CREDIT_RANGES = {2: (4, 72), 5: (250, 18000), 8: (1, 4), 11: (1, 4), 13: (19, 75), 16: (1, 4), 18: (1, 2)}


def write(folder: Path) -> None:
    """Write both tables, and let this process and its children accept them although their checksums differ."""
    (folder / "insurance.csv").write_text("".join(f"{line}\n" for line in insurance()), encoding="utf-8")
    (folder / "german.data").write_text("".join(f"{line}\n" for line in credit()), encoding="utf-8")
    os.environ["RAYBENCH_DATA_UNCHECKED"] = "1"


def insurance() -> list[str]:
    """Return a header and rows whose charges follow age, weight and smoking, with noise."""
    rng = np.random.default_rng(1)
    lines = ["age,sex,bmi,children,smoker,region,charges"]
    for row in range(INSURANCE_ROWS):
        age, bmi, smoker = int(rng.integers(18, 65)), float(rng.normal(30, 6)), row % 5 == 0
        charges = 250 * age + (900 * bmi if smoker else 40 * bmi) + float(rng.normal(0, 800)) + 1000
        words = ("female", "male")[row % 2], f"{bmi:.2f}", int(rng.integers(0, 6)), ("no", "yes")[smoker]
        lines.append(",".join(str(word) for word in (age, *words, REGIONS[row % 4], f"{charges:.4f}")))
    return lines


def credit() -> list[str]:
    """Return rows of 20 attributes and the class: 1 good, 2 bad, seven to three, bad ones with the longer loans."""
    rng = np.random.default_rng(2)
    lines = []
    for row in range(CREDIT_ROWS):
        bad = row % 10 in (2, 5, 8)
        words = []
        for number in range(1, 21):
            if number in CREDIT_CODES:
                words.append(f"A{number}{int(rng.integers(CREDIT_CODES[number])) + (number != 4)}")
            else:
                low, high = CREDIT_RANGES[number]
                middle = (low + high) // 2
                words.append(str(int(rng.integers(middle if bad and number == 2 else low, high + 1))))
        lines.append(" ".join([*words, "2" if bad else "1"]))
    return lines
