"""Reading subscribers, and telling what is wrong with them."""

from __future__ import annotations

import gzip
import json

import pytest

from dynamo.alerts.subscriber import Rule
from dynamo.alerts.subscribers_file import read_subscribers
from dynamo.errors import DataError

HEAD = "id,lon,lat,distance_km,hazard,min_level,max_lead_minutes,channel"
KEYS = "distance_km, hazard, min_level, max_lead_minutes or channel"
RULES = (Rule("STORM", 45, 10, 30, "phone"), Rule("HAIL", 20, 5, 60, "mail"))


def _csv(tmp_path, *lines, head=HEAD):
    path = tmp_path / "subscribers.csv"
    path.write_text("\n".join([head, *lines]) + "\n", "utf-8")
    return path


def _geojson(tmp_path, *features):
    path = tmp_path / "subscribers.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _point(*coordinates, **members):
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": coordinates},
        "properties": {},
    } | members


def _rules(subscribers):
    """All rules of all subscribers, by id."""
    table = zip(
        subscribers.ids[subscribers.owner],
        [subscribers.hazards[code] for code in subscribers.hazard],
        subscribers.min_level.tolist(),
        subscribers.within_km.tolist(),
        subscribers.max_lead_minutes.tolist(),
        [subscribers.channels[code] for code in subscribers.channel],
        strict=True,
    )
    return [(name, Rule(*rest)) for name, *rest in table]


def test_a_csv_has_a_line_for_each_rule(tmp_path):
    """Lines of one id are rules of one subscriber, wherever they stand."""
    path = _csv(
        tmp_path, "a,-97,32,10,STORM,45,30,phone", "b,-96,33,0,HAIL,20,60,mail", "a,-97,32,5,HAIL,1,2,x"
    )
    found, faults = read_subscribers(path)
    assert (found.ids.tolist(), found.lon.tolist(), found.lat.tolist()) == (["a", "b"], [-97, -96], [32, 33])
    assert _rules(found) == [
        ("a", Rule("STORM", 45, 10, 30, "phone")),
        ("a", Rule("HAIL", 1, 5, 2, "x")),
        ("b", Rule("HAIL", 20, 0, 60, "mail")),
    ]
    assert faults == ()


def test_who_asks_for_nothing_gets_the_rules_of_the_run_file(tmp_path):
    """And who asks for something gets what is left out from the rule for that hazard."""
    path = _csv(tmp_path, "a,-97,32,,,,,", "b,-97,32,25,,,,", "c,-97,32,,HAIL,,,", "d,-97,32,,WIND,,,")
    found, _ = read_subscribers(path, RULES)
    assert _rules(found) == [
        ("a", RULES[0]),
        ("a", RULES[1]),
        ("b", Rule("", 45, 25, 30, "phone")),
        ("c", RULES[1]),
        ("d", Rule("WIND")),
    ]


def test_only_id_and_position_are_needed(tmp_path):
    """Other columns may be missing, stand in any order, or be unknown; the file may be compressed."""
    path = tmp_path / "subscribers.csv.gz"
    path.write_bytes(gzip.compress('\ufefflat,notes,id,lon\r\n32,"red, brick",a,-97\r\n\r\n'.encode()))
    found, _ = read_subscribers(path, RULES[:1])
    assert (found.ids.tolist(), found.lon.tolist(), _rules(found)) == (["a"], [-97], [("a", RULES[0])])


def test_the_hospitals_of_the_sample_are_subscribers(samples):
    """A point list that knows only names is enough."""
    found, faults = read_subscribers(samples / "casa" / "hospital_locations.geojson", RULES[:1])
    assert (len(found), len(found.owner), faults) == (70, 70, ())
    assert found.ids[0] == "ATRIUM MEDICAL CENTER AT CORINTH"
    assert (found.lon[0], found.lat[0]) == (-97.05849, 33.152425)


def test_a_geojson_names_its_subscribers_and_their_rules(tmp_path):
    """The id is the feature's, or else in its properties; rules are a list, or stand in the properties."""
    path = _geojson(
        tmp_path,
        _point(-97, 32, id=7, properties={"name": "x", "hazard": "HAIL", "distance_km": 3}),
        _point(
            -97,
            33,
            120,
            properties={"id": "b", "rules": [{"hazard": "STORM"}, {"hazard": "WIND", "min_level": 9}]},
        ),
        _point(-97, 34, properties=None, id="c"),
    )
    found, _ = read_subscribers(path, RULES)
    assert _rules(found) == [
        ("7", Rule("HAIL", 20, 3, 60, "mail")),
        ("b", RULES[0]),
        ("b", Rule("WIND", 9)),
        ("c", RULES[0]),
        ("c", RULES[1]),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "x,32,-97,1,STORM,1,1,p",
            "longitude 32, latitude -97 is out of range: are longitude and latitude swapped?",
        ),
        (
            "x,181,32,1,STORM,1,1,p",
            "longitude 181, latitude 32 is out of range; expected -180 to 180 and -90 to 90",
        ),
        ("x,nan,32,1,STORM,1,1,p", "its lon is 'nan'; expected a number"),
        ("x,-97,north,1,STORM,1,1,p", "its lat is 'north'; expected a number"),
        ("x,-97,,1,STORM,1,1,p", "it has no lat"),
        (",-97,32,1,STORM,1,1,p", "it has no id"),
        ("x,-97,32,-1,STORM,1,1,p", "its distance_km is -1; expected 0 to 20004"),
        ("x,-97,32,inf,STORM,1,1,p", "its distance_km is 'inf'; expected a number"),
        ("x,-97,32,1,STORM,1,-1,p", "its max_lead_minutes is -1; expected 0 or more"),
        ("x,-97,32,1,STROM,1,1,p", "its hazard 'STROM' is not known (did you mean 'STORM'?)"),
        ("x,-97,32,1,STORM,1,1,phon", "its channel 'phon' is not known (did you mean 'phone'?)"),
        ("x,-97,32,1,STORM,1,1", "it has 7 values; expected 8, as in the first line"),
        ('x,-97,32,1,STORM,1,1,"p', ""),
        ("a,-97,32.1,1,STORM,1,1,p", "its id is that of line 2, at another position"),
    ],
)
def test_a_wrong_row_is_told_and_the_others_work(tmp_path, line, message):
    """With its line and what was expected; strict makes it an error."""
    path = _csv(tmp_path, "a,-97,32,1,STORM,1,1,p", line, "b,-97,32,1,STORM,1,1,p")
    known = {"hazards": ["STORM"], "channels": ["p", '"p', "phone"]}
    found, faults = read_subscribers(path, **known, strict=False)
    if not message:  # a stray quotation mark is a character like others
        assert found.ids.tolist() == ["a", "x", "b"]
        return
    assert found.ids.tolist() == ["a", "b"]
    assert [(fault.line, fault.message) for fault in faults] == [(3, message)]
    with pytest.raises(DataError) as caught:
        read_subscribers(path, **known)
    assert message in str(caught.value)
    assert "subscribers.csv:3:" in str(caught.value)


def test_who_lies_far_from_all_others_unless_swapped_is_told(tmp_path):
    """In a region where both orders are legal; somebody who is just far away is not."""
    lines = [f"s{n},{10 + n / 100},{50 + n / 100},1,STORM,1,1,p" for n in range(20)]
    path = _csv(tmp_path, *lines, "x,50.1,10.1,1,STORM,1,1,p", "far,100,-20,1,STORM,1,1,p")
    found, faults = read_subscribers(path, strict=False)
    assert [(fault.line, fault.subscriber) for fault in faults] == [(22, "x")]
    assert "among them if swapped" in faults[0].message
    assert found.ids.tolist()[-1] == "far"


def test_all_faults_are_told_up_to_a_number(tmp_path):
    """Of many the first are told, and how many more there are."""
    path = _csv(tmp_path, *[f"s{n},x,32,1,STORM,1,1,p" for n in range(100)])
    with pytest.raises(DataError, match=r"(?s)100 faults in its rows:.*:2: 's0': its lon .*and 80 more"):
        read_subscribers(path)


def test_a_bad_byte_spoils_one_row(tmp_path):
    """Text that is not UTF-8 is told with its line."""
    path = tmp_path / "subscribers.csv"
    path.write_bytes(f"{HEAD}\n\u00e4,-97,32,1,STORM,1,1,p\n".encode() + b"\xff,-97,32,1,STORM,1,1,p\n")
    found, faults = read_subscribers(path, strict=False)
    assert (found.ids.tolist(), [(f.line, f.message) for f in faults]) == (
        ["\u00e4"],
        [(3, "its id is not UTF-8 text")],
    )


def test_wrong_features_are_told(tmp_path):
    """By their number."""
    line = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": []},
        "properties": {"id": "l"},
    }
    path = _geojson(
        tmp_path,
        _point(-97, 32, id="a"),
        line,
        _point("x", 32, id="b"),
        _point(-97, 32, id="c", properties={"rules": "all"}),
        _point(-97, 32, id="d", properties={"hazard": ["STORM"]}),
        _point(-97, 32),
    )
    found, faults = read_subscribers(path, RULES, hazards=["STORM"], strict=False)
    assert found.ids.tolist() == ["a"]
    assert [(fault.feature, fault.subscriber) for fault in faults] == [
        (2, "l"),
        (3, "b"),
        (4, "c"),
        (5, "d"),
        (6, ""),
    ]


def test_a_key_of_a_rule_that_is_not_known_is_told(tmp_path):
    """With the nearest one, and only that rule is left out; the properties of a feature may hold what they like."""
    slips = [
        {"hazard": "STORM", "chanel": "x", "distance": 50},
        {"hazard": "STORM", "note": ""},
        {"hazard": "HAIL"},
    ]
    path = _geojson(
        tmp_path,
        _point(-97, 32, id="a", properties={"chanel": "of a school", "rules": slips}),
        _point(-97, 32, id="b", properties={"rules": []}),
    )
    found, faults = read_subscribers(path, RULES, strict=False)
    assert _rules(found) == [("a", RULES[1])]
    assert [str(fault) for fault in faults] == [
        "feature 1: 'a': key 'chanel' of its rule 1 is not known (did you mean 'channel'?)",
        "feature 1: 'a': key 'distance' of its rule 1 is not known (did you mean 'distance_km'?)",
        f"feature 1: 'a': key 'note' of its rule 2 is not known; expected {KEYS}",
        "feature 2: 'b': its list of rules is empty; leave it out to have those of the run file",
    ]
    with pytest.raises(DataError, match=r"subscribers\.geojson: feature 1: 'a': key 'chanel'"):
        read_subscribers(path, RULES)


def test_a_property_as_good_as_a_key_is_told(tmp_path):
    """Where a feature has no list of rules, its properties are its rule: else it would get all of the run file's."""
    path = _geojson(
        tmp_path,
        _point(-97, 32, id="a", properties={"min_levl": 50, "hazard": "HAIL", "phone": "555", "street": "x"}),
        _point(-97, 32, id="b", properties={"Rules": [{"hazard": "HAIL"}]}),
        _point(-97, 32, id="c", properties={"hazard": "HAIL", "hazards": 3}),
        _point(
            -97, 32, id="d", properties={"minLevel": 50, "MAX-LEAD-MINUTES": 3, "hazardd": 1, "channek": 2}
        ),
    )
    found, faults = read_subscribers(path, RULES, strict=False)
    assert found.ids.tolist() == ["c"]
    assert [str(fault) for fault in faults] == [
        "feature 1: 'a': property 'min_levl' is not known (did you mean 'min_level'?)",
        "feature 2: 'b': property 'Rules' is not known (did you mean 'rules'?)",
        "feature 4: 'd': property 'minLevel' is not known (did you mean 'min_level'?)",
        "feature 4: 'd': property 'MAX-LEAD-MINUTES' is not known (did you mean 'max_lead_minutes'?)",
        "feature 4: 'd': property 'hazardd' is not known (did you mean 'hazard'?)",
        "feature 4: 'd': property 'channek' is not known (did you mean 'channel'?)",
    ]


@pytest.mark.parametrize(
    "name",
    ["level", "max_level", "min_level_m", "distance", "distance_mi", "roles", "rule", "ruler", "rules_url",
     "hazard_zone", "channel_id", "lead_minutes", "max_minutes", "hazrad", ""],
)  # fmt: skip
def test_a_property_about_another_thing_is_no_fault(tmp_path, name):
    """A hospital's file says much of which we know nothing; the subscriber has the rules of the run file."""
    path = _geojson(tmp_path, _point(-97, 32, id="a", properties={name: 5}))
    assert _rules(read_subscribers(path, RULES)[0]) == [("a", rule) for rule in RULES]


def test_all_that_is_wrong_with_a_row_is_told_at_once(tmp_path):
    """What else is wrong does not hide behind the first."""
    known = {"hazards": ["STORM"], "channels": ["p"]}
    _, faults = read_subscribers(_csv(tmp_path, ",x,95,-1,STRM,1,-2,q"), strict=False, **known)
    assert sorted(fault.message for fault in faults) == [
        "it has no id",
        "its channel 'q' is not known",
        "its distance_km is -1; expected 0 to 20004",
        "its hazard 'STRM' is not known (did you mean 'STORM'?)",
        "its lon is 'x'; expected a number",
        "its max_lead_minutes is -2; expected 0 or more",
        "latitude 95 is out of range; expected -180 to 180 and -90 to 90",
    ]
    line = {"type": "LineString", "coordinates": []}
    said = {"rules": [{"hazard": "STRM", "note": ""}, {"channel": "q"}]}
    path = _geojson(tmp_path, {"type": "Feature", "geometry": line, "id": "a", "properties": said})
    found, faults = read_subscribers(path, RULES, strict=False, **known)
    assert not len(found)
    assert sorted(fault.message for fault in faults) == [
        "it is no Point with a longitude and a latitude",
        "its channel 'q' is not known",
        "its hazard 'STRM' is not known (did you mean 'STORM'?)",
        f"key 'note' of its rule 1 is not known; expected {KEYS}",
    ]


@pytest.mark.parametrize("name", ["subscribers.csv", "subscribers.geojson"])
def test_a_file_as_other_programs_write_it(tmp_path, name):
    """With a byte order mark it is read; as UTF-16, with a mark or without, that is told."""
    path = tmp_path / name
    text = f"{HEAD}\na,-97,32,1,STORM,1,1,p\n"
    if name.endswith("json"):
        text = json.dumps({"type": "FeatureCollection", "features": [_point(-97, 32, id="a")]})
    path.write_bytes(text.encode("utf-8-sig"))
    assert read_subscribers(path, RULES)[0].ids.tolist() == ["a"]
    for encoding in ("utf-16", "utf-16-be", "utf-16-le"):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(DataError, match="not UTF-8 but UTF-16, or no text; save it as UTF-8"):
            read_subscribers(path, RULES)


def test_who_asks_for_nothing_of_a_run_file_without_rules_is_told(tmp_path):
    """Nobody would ever be told anything."""
    _, faults = read_subscribers(_csv(tmp_path, "a,-97,32,,,,,"), strict=False)
    assert [fault.message for fault in faults] == ["it asks for nothing, and the run file has no rules"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            "id,lon,latt",
            r":1: column 'lat' is missing \(did you mean 'latt'\?\); there are 'id', 'lon', 'latt'",
        ),
        (
            "id,longitude,Latitude",
            r":1: column 'lon' is missing \(did you mean 'longitude'\?\); there are 'id', 'longitude', 'Latitude'",
        ),
        ("id,lon,lat,distance", r":1: column 'distance' is not known \(did you mean 'distance_km'\?\)"),
        ("id,lon,lat,lead", r":1: column 'lead' is not known \(did you mean 'max_lead_minutes'\?\)"),
        ("id,lon,lat,Level", r":1: column 'Level' is not known \(did you mean 'min_level'\?\)"),
        ("id,lon,lat,lat", ":1: column 'lat' is there twice"),
        ("sep=,", ":1: 'sep=' is for a spreadsheet; expected names of columns: delete this line"),
        ("PK\x03\x04\x14\x00", "the file is a spreadsheet or another archive; save it as CSV or GeoJSON"),
        ("", "the first line is empty; expected names of columns like id,lon,lat"),
        ("id;lon;lat", ":1: its values are separated by semicolons; expected commas"),
        ("id\tlon\tlat", ":1: its values are separated by tabs; expected commas"),
        ("'id', 'lon'; 'lat'", "column 'id' is missing"),
    ],
)
def test_wrong_columns_are_an_error(tmp_path, head, message):
    """Nothing of such a file can be trusted."""
    with pytest.raises(DataError, match=message):
        read_subscribers(_csv(tmp_path, head=head), strict=False)


def test_an_empty_list_is_legal(tmp_path):
    """There may be nobody yet."""
    found, faults = read_subscribers(_csv(tmp_path), RULES)
    assert (len(found), len(found.owner), faults) == (0, 0, ())
