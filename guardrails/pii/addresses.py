"""Postal addresses, by likelihood: a house number beside a street, a box, a postcode; Korean ones by their levels.

Every pattern holds a digit and is bounded; none of them looks at a map, so `12 Nowhere Street` is an address.
"""

from __future__ import annotations

import re

from guardrails.matching import Candidate, Kind, Rule, by_pattern, live_by, starts_by

_UP = "A-ZÀ-ÖØ-ÞĀ-ſ"
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿĀ-ſ"
_CAP = rf"[{_UP}][{_LETTER}'’.-]{{0,15}}"
_LEFT = rf"(?<![{_LETTER}0-9_.$€£/#-])"
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Terrace|Circle|Cir"
    r"|Highway|Hwy|Parkway|Pkwy|Square|Sq|Trail|Close|Crescent|Gardens|Row|Mews|Grove|Alley|Plaza|Loop|Points|Walk"
    r"|Turnpike|Pike|Quay|Wharf)"
)
_UNIT = r"(?:Apartment|Apt|Suite|Ste|Unit|Floor|Fl|Room|Rm|Flat)\.? ?#?[0-9]{1,5}[A-Za-z]?"
_GAP = r"(?:,? ?\r?\n[ >]{0,12}|, ?| )"
# A place and a postcode, in either order, after a street.
_STATE_ZIP = r"[A-Z]{2}(?: |,? ?\r?\n[ >]{0,12})[0-9]{5}(?:-[0-9]{4})?"
_UK = r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}"
_CA = r"[ABCEGHJ-NPRSTVXY][0-9][A-Z] ?[0-9][A-Z][0-9]"
_WHERE = rf"{_CAP}(?: (?:and |of |the |de |la |do |da |am )?{_CAP}){{0,3}}"
_PLACE = (
    rf"(?:(?:{_GAP}{_WHERE}){{0,2}}{_GAP}(?:{_STATE_ZIP}|{_UK}|{_CA}|[0-9]{{4,6}}|[0-9]{{3}}[ -][0-9]{{2,3}})"
    rf"(?![{_LETTER}0-9])|(?:,? ?\r?\n[ >]{{0,12}}{_WHERE}){{1,2}}(?: [0-9]{{4,6}})?)?"
)
_AFTER = rf"(?:{_GAP}{_UNIT})?{_PLACE}"
_NUMBER = r"[0-9]{1,6}[A-Za-z]?(?:[-/][0-9]{1,4})?"

_ANGLO = (
    rf"{_LEFT}(?:[0-9]{{1,6}} )?{_NUMBER},? (?:(?:[NSEW]|North|South|East|West)\.? )?(?:{_CAP} ){{1,4}}"
    rf"{_STREET}(?![{_LETTER}])\.?"
    rf"{_AFTER}"
)
# Street first, number last: "Chausseestr. 32", "Via Roma 5", "ul. Miła 53".
_HEADS = r"(?:Via|Viale|Corso|Piazza|Largo|Calle|Avenida|Av\.|Paseo|Plaza|Rua|Praça|Rue|Chemin|ul\.|Ulica|al\.|Carrera)"
_TAILS = (
    r"(?:straße|strasse|str\.|gasse|weg|allee|platz|damm|ufer|gatan|vägen|gade|gata|vej|veien|gaten|straat|laan"
    r"|plein|dreef|kade|katu|utca|ulice|caddesi|sokak)"
)
_NUMBER_LAST = (
    rf"{_LEFT}(?:[0-9]{{1,5}} )?(?:{_HEADS} (?:(?:de|della|delle|del|di|da|la|le|des|du|dos) ){{0,2}}{_CAP}"
    rf"(?: {_CAP}){{0,3}},?|(?:{_CAP} ){{0,2}}[{_UP}][{_LETTER}-]{{1,20}}{_TAILS}) [0-9]{{1,4}}[a-z]?"
    rf"(?![{_LETTER}0-9]){_AFTER}"
)
_FRENCH = (
    rf"{_LEFT}(?:[0-9]{{1,6}} )?[0-9]{{1,4}}(?: bis| ter)?,? (?:[Rr]ue|Via|Calle|Rua|C/|avenue|boulevard|place|chemin"
    r"|allée|impasse|quai|cours)"
    rf" (?:(?:de|du|des|la|le|les) ){{0,2}}{_CAP}(?: {_CAP}){{0,3}}{_PLACE}"
)
# Two numbers around a name are a plot of some kind in most of Europe: "95 Dirk de Derdelaan 149".
_BETWEEN = (
    rf"{_LEFT}[0-9]{{1,6}} [{_UP}][{_LETTER}'’-]{{2,15}}(?: (?:{_CAP}|de|la|van|der|den|del|di)){{0,3}}"
    rf" [0-9]{{1,4}}[a-d]?(?:{_GAP}{_UNIT}|{_GAP}(?=[{_UP}])){_PLACE}"
)
_BOX = (
    rf"{_LEFT}(?:[0-9]{{1,6}} )?(?:P\.? ?O\.? ?Box [0-9]{{1,6}}|PSC [0-9]{{1,5}},? Box [0-9]{{1,5}}"
    rf"|(?:Unit|CMR) [0-9]{{1,5}},? Box [0-9]{{1,5}}){_AFTER}"
)
# After words that announce one: a number and words that begin with capitals.
_SAID = "|".join(
    f"(?<={words} )"
    for words in ("address is", "address:", "address to", "lives at", "live at", "office is at", "taxi to", "lived in")
)
_ANNOUNCED = rf"(?:{_SAID})[0-9]{{1,6}} (?:[0-9]{{1,5}} )?{_CAP}(?: (?:[0-9]{{1,5}}|{_CAP}|de|la|di|du)){{0,5}}{_AFTER}"
_MILITARY = rf"{_LEFT}(?:[APFD]PO) A[AEP] [0-9]{{5}}(?![0-9])"
_UNIT_ALONE = rf"{_LEFT}(?:Apartment|Apt|Suite|Ste)\.? #?[0-9]{{1,5}}(?![{_LETTER}0-9]){_PLACE}"
_TOWN = rf"(?<![{_LETTER}0-9_-]){_CAP}(?: {_CAP}){{0,2}}, [A-Z]{{2}} [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9])"

_ANY = rf"(?:{_ANGLO}|{_NUMBER_LAST}|{_FRENCH}|{_BOX}|{_BETWEEN}|{_ANNOUNCED}|{_MILITARY}|{_UNIT_ALONE}|{_TOWN})"
_HOLD = 420

# What an address in the making looks like: words that begin with capitals, numbers, small joining words.
_PIECE = (
    rf"(?:#?[0-9{_UP}][{_LETTER}0-9'’./#-]{{0,30}}"
    r"|[ua]l?\.?|C/|and|of|the|do|am|de|la|le|les|van|der|den|des|del|della|delle|di|da|du|dos|bis|ter|rue|avenue|boulevard|place|chemin|allée|impasse"
    r"|quai|cours)"
)
_OPEN = rf"(?<![{_LETTER}0-9_.$€£/#-]){_PIECE}(?:[ ,>\r\n]{{1,15}}{_PIECE}){{0,40}}[ ,>\r\n]{{0,15}}[a-zé#]{{0,9}}"


def _judge(_: Candidate) -> float:
    return 0.7


# Where one can begin: a number, a capital, or `ul.`.
_STARTS = rf"[0-9{_UP}ua](?<![{_LETTER}0-9_.$€£/#-].)(?:(?<![ua])|(?=l\. ))"
POSTAL = Kind("address", re.compile("[0-9]").search, live_by(_OPEN, _HOLD), _HOLD, starts=starts_by(_STARTS))

# --- Korea --------------------------------------------------------------------------------------------
_PROVINCE = (
    r"(?:서울|부산|대구|인천|광주|대전|울산|세종)(?:특별자치시|특별시|광역시|시)?"
    r"|(?:경기|강원|제주|전북|전남|경북|경남|충북|충남|전라북|전라남|경상북|경상남|충청북|충청남)(?:특별자치도|도)?"
)
_DISTRICT = r"[가-힣]{1,5}(?:시|군|구)"
_ROAD = r"[가-힣0-9.]{1,12}(?:대로|로|길|가|거리|읍|면|동|리)(?: ?[0-9]{1,4}(?:번)?(?:길|가))?"
_PLOT = r"(?:지하 ?|산 ?)?[0-9]{1,5}(?:-[0-9]{1,5})?(?:번지|번)?"
_INSIDE = (
    r"(?:,? ?(?:[가-힣A-Za-z0-9]{1,12}(?:아파트|빌딩|빌라|타워|오피스텔|맨션|단지|마을|파크|빌) ?)?"
    r"(?:[0-9]{1,4}동 ?)?(?:[0-9]{1,5}호|[0-9]{1,3}층))?(?: ?\([가-힣0-9, ]{1,24}\))?"
)
_FULL = rf"(?:{_PROVINCE}) (?:{_DISTRICT} ){{0,2}}(?:{_ROAD} ){{1,2}}{_PLOT}(?![0-9가-힣]{{0,1}}[0-9]){_INSIDE}"
_LOCAL = rf"(?:{_DISTRICT} ){{1,2}}(?:{_ROAD} ){{1,2}}{_PLOT}(?![0-9가-힣]{{0,1}}[0-9]){_INSIDE}"
_KOREAN = rf"(?<![가-힣A-Za-z0-9])(?:{_FULL}|{_LOCAL})"
_KOREAN_HOLD = 96
_LEVEL = r"[가-힣0-9.]{1,12}(?:시|군|구|로|길|가|리|읍|면|동)(?: ?[0-9]{1,4}번?(?:길|가))?"
_KOREAN_OPEN = (
    rf"(?<![가-힣A-Za-z0-9])(?:(?:{_PROVINCE}|{_DISTRICT})(?: {_LEVEL}){{0,5}}"
    r"(?: (?:지하 ?|산 ?)?[0-9]{1,5}[0-9-]{0,6}[번지]{0,2}(?:,? ?[가-힣A-Za-z0-9]{1,20}){0,3}[, ]{0,2}"
    r"(?:\([가-힣0-9, ]{0,26}\)?)?| [가-힣0-9.]{0,18}(?: [0-9]{1,4})?)?|[가-힣]{1,9})"
)


def _judge_korean(candidate: Candidate) -> float:
    return 0.9 if _PROVINCE_AT.match(candidate.value) else 0.75


_PROVINCE_AT = re.compile(_PROVINCE)
KOREAN_POSTAL = Kind(
    "korean address",
    re.compile(r"[시도군구동로길가리읍면] [가-힣0-9]").search,
    live_by(_KOREAN_OPEN, _KOREAN_HOLD),
    _KOREAN_HOLD,
)

RULES: tuple[tuple[Kind, Rule], ...] = (
    (POSTAL, Rule("ADDRESS", by_pattern(_ANY), _judge)),
    (KOREAN_POSTAL, Rule("ADDRESS", by_pattern(_KOREAN), _judge_korean)),
)
