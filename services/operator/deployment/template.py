"""Commented programme file for a new programme, to be filled in."""

TEMPLATE = """\
# A programme of Waferline: its products, platforms, facility, target, horizon and parties.
# Run it with `waferline up --programme FILE`; `waferline declare --file FILE --dry-run` compares it with a stack.
# A fraction is a text ("0.97"), so that it is exact. Each `basis` says where the numbers beside it come from.
name: my-programme
title: My programme

# The wafers a month that the programme aims at. Without it no share of a target is shown.
# target: {wafers_per_month: 10000, basis: a letter of intent}

# The days that have balances of their own. Another horizon folds everything anew: ten years are no burden.
horizon: {starts_on: 2026-01-01, ends_on: 2031-12-31}

# What counts as received on time and in full: days before and after the due day, and percent that may be short.
# Without days_early wafers count however early they come. Without it all: 7 days late, 5 percent short.
# on_time: {days_early: 14, days_late: 2, percent_short: 5, basis: weekly shipping, planned a week ahead}

# Each product, by the name that events, sheets and pages use. One with {} has no wafer model: its wafers are counted,
# and only a conversion from gigabytes or megawatts is refused. The die includes its scribe lane, yields are as planned.
products:
  MY-HBM-12H:
    family: HBM
    gb_per_die: 3
    die_mm2: 130
    layers: 12
    line_yield: "0.97"
    probe_yield: "0.75"
    layer_yield: "0.99"
    final_yield: "0.97"
    basis: assumed
  MY-DDR-32G: {}

# One rack of each platform: its power, its accelerators, and its memory in gigabytes by product.
platforms:
  MY-RACK: {rack_kw: 130, accelerators: 72, memory_gb: {MY-HBM-12H: 20736}, basis: assumed}

# How a facility's megawatt is divided among racks and servers, and the memory of a server by product.
facility:
  pue: "1.2"
  accelerator_share: "0.9"
  server_share: "0.05"
  server_kw: "1"
  server_memory_gb: {}
  spares: "0.03"
  basis: assumed

# Companies with roles at sites and towards suppliers, each with the source that states it: MW at risk by party.
# companies:
#   my-cloud: {name: My Cloud, roles: [{role: tenant, of: site, name: NORTH-1, basis: a lease}]}

# Each party publishes on a stream of its own: letters, digits, '.', '_' and '-'.
parties:
  suppliers:
    my-supplier: {title: A supplier of wafers}
  datacenters:
    my-sites: {title: A group of sites}
  planners: # who declare what stands above
    my-planning: {title: Planning}
"""
