"""Writes small PDFs, so that tests need no files that nobody can read."""

from collections.abc import Sequence


def pdf(pages: Sequence[Sequence[str]], title: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """A PDF with the given lines on each page, and an outline of (heading, page from 0)."""
    objects: list[str] = ["", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # 1: catalog, 2: pages
    numbers = []
    for lines in pages:
        drawn = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
        stream = f"BT /F1 12 Tf 72 720 Td {drawn} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        numbers.append(len(objects))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(numbers)} >>"
    root = len(objects) + 1
    for index, (heading, page) in enumerate(outline):
        own = root + 1 + index
        around = (f"/Prev {own - 1} 0 R " if index else "") + (
            f"/Next {own + 1} 0 R" if index + 1 < len(outline) else ""
        )
        objects.append(f"<< /Title ({heading}) /Parent {root} 0 R /Dest [{numbers[page]} 0 R /Fit] {around} >>")
    if outline:
        entries = f"/First {root + 1} 0 R /Last {root + len(outline)} 0 R /Count {len(outline)}"
        objects.insert(root - 1, f"<< /Type /Outlines {entries} >>")
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {f'/Outlines {root} 0 R' if outline else ''} >>"
    objects.append(f"<< /Title ({title}) >>")

    written, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(written)}\n"
    return written + end.encode() + b"%%EOF\n"
