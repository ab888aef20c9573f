#!/usr/bin/env python3
"""What the deploy scripts need of flyctl's JSON, as lines of tab-separated fields.

usage: facts.py apps|addresses|secrets|machines|releases|health < JSON
       facts.py cost PRICES.tsv < the JSON of `flyctl machine list`

The JSON's shapes are flyctl's own (github.com/superfly/flyctl); names are found in any case, because its
commands write `Name` as well as `name`. Only the standard library is used.
"""

import json
import sys

GROUPS = ("app", "spare")


def field(record, name, default=""):
    """A field of a record whatever its case; `default` when it is missing or null."""
    for key, value in (record or {}).items():
        if key.lower() == name:
            return default if value is None else value
    return default


def apps(records):
    return [[field(app, "name")] for app in records]


def addresses(records):
    return [[field(address, "type")] for address in records]


def secrets(records):
    """Name, digest, and what newer versions of flyctl say about it: `staged`, `partial`, `deployed`."""
    rows = []
    for secret in records:
        status = str(field(secret, "status", "-")).lower() or "-"
        rows.append([field(secret, "name"), field(secret, "digest", "-"), status])
    return rows


def releases(records):
    """Images, newest first, without those of releases that failed."""
    rows = []
    for release in sorted(records, key=lambda r: field(r, "version", 0), reverse=True):
        failed = field(release, "status").lower() in ("failed", "interrupted", "error")
        image = field(release, "imageref")
        if image and not failed:
            rows.append([image])
    return rows


def image(machine):
    """Its tag (`-` without one) and its full name."""
    ref = field(machine, "image_ref", {})
    name = "/".join(part for part in (field(ref, "registry"), field(ref, "repository")) if part)
    tag, digest = field(ref, "tag"), field(ref, "digest")
    if tag:
        return tag, f"{name}:{tag}"
    return "-", f"{name}@{digest}"


def health(machine):
    """`passing`, or what is not: a machine without any check has not begun to be checked."""
    checks = field(machine, "checks", [])
    bad = [field(check, "name", "?") for check in checks if field(check, "status") != "passing"]
    if not checks:
        return "unchecked"
    return "failing:" + ",".join(bad) if bad else "passing"


def size(machine):
    """As in the table of prices: `performance-1x-2048`."""
    guest = field(field(machine, "config", {}), "guest", {})
    kind = field(guest, "cpu_kind", "?")
    kind = "shared-cpu" if kind == "shared" else kind
    return f"{kind}-{field(guest, 'cpus', '?')}x-{field(guest, 'memory_mb', '?')}"


def machines(records):
    """Id, region, group, state, image tag, image, health, size of the machines that serve calls."""
    rows = []
    for machine in records:
        metadata = field(field(machine, "config", {}), "metadata", {})
        group = field(metadata, "fly_process_group", "app")
        state = field(machine, "state")
        if group not in GROUPS or state in ("destroyed", "destroying"):
            continue
        row = [field(machine, "id"), field(machine, "region"), group, state]
        rows.append([*row, *image(machine), health(machine), size(machine)])
    return sorted(rows, key=lambda row: (row[1], row[2], row[0]))


def answer(record):
    """Of the server's own `/health`."""
    return [[field(record, name, "-") for name in ("status", "version", "commit", "cell", "region")]]


def prices(path):
    table = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                name, price = line.split("\t")[:2]
                table[name] = float(price)
    return table


def cost(records, table):
    """A line for each kind of machine and their sums, in USD for 30 days."""
    kinds = {}
    for _id, region, group, *_rest, kind in machines(records):
        key = (region, group, kind)
        kinds[key] = kinds.get(key, 0) + 1
    rows, always, most = [], 0.0, 0.0
    for (region, group, kind), count in sorted(kinds.items()):
        if kind not in table:
            rows.append([f"{count} x {kind} in {region}: no price known"])
            continue
        factor = table.get(f"region-{region}", table["region-other"])
        price = count * table[kind] * factor
        most += price
        if group == "app":
            always += price
            rows.append([f"{count} x {kind} in {region}, always on: {price:.2f} USD"])
        else:
            rows.append([f"{count} x {kind} in {region}, on demand: 0.00 to {price:.2f} USD"])
    addresses = table["ipv4-shared"] + table["ipv6"]
    rows.append([f"a shared IPv4 and an IPv6 address: {addresses:.2f} USD"])
    rows.append([f"machines for 30 days: {always:.2f} USD, at most {most:.2f} USD"])
    rows.append([f"traffic comes on top: {table['egress-na-eu']:.2f} USD a GB in North America and Europe"])
    return rows


KINDS = {
    "apps": apps,
    "addresses": addresses,
    "secrets": secrets,
    "machines": machines,
    "releases": releases,
    "health": answer,
}


def main():
    kind, *rest = sys.argv[1:]
    try:
        data = json.load(sys.stdin)
    except ValueError:
        sys.exit(f"no JSON about {kind}")
    # An empty list is `null` in some of flyctl's versions.
    data = [] if data is None else data
    rows = cost(data, prices(rest[0])) if kind == "cost" else KINDS[kind](data)
    for row in rows:
        print("\t".join(str(cell) for cell in row))


if __name__ == "__main__":
    main()
