#!/usr/bin/env bash
# The main job on real radiographs, as reported in docs/results.md.
#
#   scripts/real_data.sh DATA PHANTOM OUT
#
# DATA holds cxr-notes, nih-chestxray14 and kermany-pneumonia, each with metadata.csv and images;
# PHANTOM is the folder of a finished `radpair demo`.
set -euo pipefail
data=$1 phantom=$2 out=$3

radpair ingest table "$data/cxr-notes/metadata.csv" --out "$out/notes" --size 144 --keep-duplicates \
    --image-column path --text-column clinical_notes --patient-column group_id
radpair ingest table "$data/nih-chestxray14/metadata.csv" --out "$out/nih" --size 144 --keep-duplicates \
    --image-column path --patient-column patient_id --label-columns labels \
    --fractions 0.6 0.1 0.3
radpair ingest table "$data/kermany-pneumonia/metadata.csv" --out "$out/kermany" --size 144 --keep-duplicates \
    --image-column path --patient-column patient_id --label-columns labels \
    --fractions 0.6 0.1 0.3
radpair graphs "$out/notes"

for recipe in igc-small convirt-small; do
    radpair pretrain $recipe --data "$out/notes" --out "$out/$recipe-notes" \
        --set training.epochs=120
    radpair pretrain $recipe --data "$out/notes" --out "$out/$recipe-phantom-then-notes" \
        --set training.epochs=40 training.learning_rate=3e-4 "start=$phantom/$recipe/model"
done

models=(
    "$out/igc-small-notes/model" "$phantom/igc-small/model"
    "$out/igc-small-phantom-then-notes/model"
    "$out/convirt-small-notes/model" "$phantom/convirt-small/model"
    "$out/convirt-small-phantom-then-notes/model"
)
for set in nih kermany; do
    echo "== $set"
    radpair evaluate linear --model "${models[@]}" --data "$out/$set" --out "$out/$set.json"
done
