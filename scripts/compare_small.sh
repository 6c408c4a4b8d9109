#!/usr/bin/env bash
# igc-small, convirt-small and random weights beside each other, as reported in docs/results.
#
#   scripts/compare_small.sh DATA DEMO OUT
#
# DATA holds cxr-notes, nih-chestxray14 and kermany-pneumonia, each with metadata.csv and images;
# DEMO is the folder of a finished `radpair demo`. Stopped, the same command continues.
set -euo pipefail
data=$1 demo=$2 out=$3

radpair ingest table "$data/nih-chestxray14/metadata.csv" --out "$out/nih" --size 144 --keep-duplicates \
    --image-column path --patient-column patient_id --label-columns labels \
    --fractions 0.6 0.1 0.3
radpair ingest table "$data/kermany-pneumonia/metadata.csv" --out "$out/kermany" --size 144 --keep-duplicates \
    --image-column path --patient-column patient_id --label-columns labels \
    --fractions 0.6 0.1 0.3
radpair ingest table "$data/cxr-notes/metadata.csv" --out "$out/notes" --size 144 --keep-duplicates \
    --image-column path --text-column clinical_notes --patient-column group_id
radpair graphs "$out/notes"

radpair compare "random:$demo/igc-small" "$demo/igc-small" "$demo/convirt-small" \
    --data "phantom=$demo/set" "NIH ChestX-ray14=$out/nih" \
    "paediatric pneumonia=$out/kermany" "cxr-notes=$out/notes" \
    --no-images "NIH ChestX-ray14" "paediatric pneumonia" cxr-notes --out "$out/compare"
