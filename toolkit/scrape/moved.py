"""Files that a person moved from one class folder to another: that corrects their label, so it follows, with a note."""

from collections.abc import Collection, Mapping

from toolkit.dataset.manifest import Manifest

LOCAL = ("folder", "imagefolder")
NOTE = "moved to the class "  # begins the reason of the row that the picture had before


def follow(table: Manifest, records: Mapping[str, dict], keys: Collection[str]) -> Manifest:
    """The manifest in which a picture that was moved counts where it is now.

    The row it had is excluded, and its split goes to the row it has; one that is moved back counts again.

    Args:
        table: of the dataset, with all rows.
        records: of its ledger, by key.
        keys: of what its sources listed this time.
    """
    listed = [records[key] for key in keys if records.get(key, {}).get("status") == "ok"]
    here = {record["path"] for record in listed}
    now = {(_place(record), record["sha256"]): record["path"] for record in listed if record["source"] in LOCAL}
    gone = {
        record["path"]: now[_place(record), record["sha256"]]
        for key, record in records.items()
        if record.get("source") in LOCAL
        and record["status"] == "ok"
        and key not in keys
        and record["path"] not in here
        and (_place(record), record["sha256"]) in now
    }
    rows = table.table.set_index("path")
    changes: dict[str, dict] = {}
    for before, after in gone.items():
        if before in rows.index and after in rows.index:
            changes[before] = {"status": "excluded", "reason": NOTE + rows.loc[after, "label"], "split": ""}
            changes[after] = {"split": rows.loc[after, "split"] or rows.loc[before, "split"]}
    back = rows.index[rows["reason"].str.startswith(NOTE) & rows.index.isin(here)]
    for path in back:
        changes[path] = {**changes.get(path, {}), "status": "new", "reason": ""}
    return table.update(changes)


def _place(record: Mapping[str, str]) -> str:
    """The name of the folder or archive that a picture came from."""
    return record["source_id"].partition("/")[0]
