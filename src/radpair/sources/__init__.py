"""Floor 1: where studies come from; one dataset a file, each by its name."""

from __future__ import annotations

from radpair.records import FileSource
from radpair.sources.chexpert import CheXpert
from radpair.sources.chexpert_plus import CheXpertPlus
from radpair.sources.covidx import Covidx
from radpair.sources.dicom import Dicom
from radpair.sources.mimic_cxr import MimicCxr
from radpair.sources.mura import Mura
from radpair.sources.nih_chestxray14 import NihChestXray14
from radpair.sources.open_i import OpenI
from radpair.sources.padchest import PadChest
from radpair.sources.pairs import Pairs
from radpair.sources.rsna_pneumonia import RsnaPneumonia
from radpair.sources.siim_pneumothorax import SiimPneumothorax
from radpair.sources.table import Table
from radpair.sources.vindr_cxr import VindrCxr

SOURCES: dict[str, type[FileSource]] = {
    "table": Table,
    "dicom": Dicom,
    "pairs": Pairs,
    "mimic-cxr": MimicCxr,
    "chexpert": CheXpert,
    "chexpert-plus": CheXpertPlus,
    "open-i": OpenI,
    "padchest": PadChest,
    "nih-chestxray14": NihChestXray14,
    "rsna-pneumonia": RsnaPneumonia,
    "siim-pneumothorax": SiimPneumothorax,
    "vindr-cxr": VindrCxr,
    "covidx": Covidx,
    "mura": Mura,
}
"""Every source of files, by the word that ``radpair ingest`` takes."""

__all__ = ["SOURCES", "Table"]
