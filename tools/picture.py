#!/usr/bin/env python3
"""Takes the pictures of two cells from a run's report.html and puts them side by side in one SVG.

    rig report results/drain/latest --format html | tools/picture.py /dev/stdin haproxy without-drain with-drain > docs/drain.svg
"""
import html
import re
import sys

WIDTH, GAP, HEADING = 960, 40, 46
path, balancer, *variants = sys.argv[1:]
page = open(path, encoding="utf-8").read()


def picture(variant, of):
    found = re.search(rf'<svg id="run-1-{balancer}-{variant}-1-{of}"[^>]*viewBox="0 0 \d+ (\d+)"[^>]*>(.*?)</svg>', page, re.S)
    if not found:
        sys.exit(f"{path} has no picture of {balancer} {variant}: {of}")
    return int(found[1]), found[2]


def heading(variant):
    section = page[: page.index(f'id="run-1-{balancer}-{variant}-1-requests"')]
    name, dropped = re.findall(r"<h3>(.*?)<span class=\"(?:good|bad)\">(.*?)</span></h3>", section)[-1]
    return html.unescape(f"{balancer}, {name}: {dropped}")


def legend():
    section = page[page.index(f"<h2>{balancer} ") :]
    lists = re.findall(r'<ul class="legend".*?</ul>', section, re.S)[:2]
    return re.findall(r'--key: var\((--[\w-]+)\)"></span>(.*?)</li>', "".join(lists))


def escape(text):
    return html.escape(text, quote=False)


light, dark = re.findall(r":root \{(.*?)\}", page, re.S)[:2]
colours = [" ".join(re.findall(r"--[\w-]+: #\w+;", block)) for block in (light, dark)]
parts, height = [], 0
for column, variant in enumerate(variants):
    x, y = column * (WIDTH + GAP), HEADING
    parts.append(f'<text x="{x + 8}" y="32" font-size="28" font-weight="600" fill="var(--text)">{escape(heading(variant))}</text>')
    for of in ("requests", "backends"):
        tall, shapes = picture(variant, of)
        parts.append(f'<svg x="{x}" y="{y}" width="{WIDTH}" height="{tall}" viewBox="0 0 {WIDTH} {tall}">{shapes}</svg>')
        y += tall
    height = max(height, y)
x = 112
for colour, name in legend():
    parts.append(f'<rect x="{x}" y="{height + 8}" width="24" height="24" rx="4" fill="var({colour})"/>')
    parts.append(f'<text x="{x + 34}" y="{height + 29}" font-size="26" fill="var(--text)">{name}</text>')
    x += 80 + 15 * len(name)
height += 50
width = len(variants) * WIDTH + (len(variants) - 1) * GAP
told = "; ".join(heading(variant) for variant in variants)
print(f"""<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif">
<title>{escape(told)}</title>
<style>:root {{ {colours[0]} }} @media (prefers-color-scheme: dark) {{ :root {{ {colours[1]} }} }}</style>
<rect width="{width}" height="{height}" fill="var(--page)"/>
{chr(10).join(parts)}
</svg>""")
