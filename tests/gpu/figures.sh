#!/usr/bin/env bash
# The figures that take longer than run.sh's, one build at a time. Run from the repository's root, on a CUDA machine.
#   TRT=/path/to/python/with/tensorrt TORCH=/path/to/python/with/torch tests/gpu/figures.sh MODELS OUT
# MODELS holds vehicle.pt, plate.pt, vehicle-640.onnx, plate-416.onnx and reader.onnx, photos/ (labelled, to calibrate
# INT8 on), labelled/ (to judge on) and frames/ (the pictures of labelled/ alone). About 15 minutes on an H100, 6 more
# for figure one at level 1. Whatever fails is told, and the rest goes on.
set -uo pipefail
models=$(realpath "$1"); mkdir -p "$2"; out=$(realpath "$2"); here=$(cd "$(dirname "$0")" && pwd)
trt=${TRT:-python3}; torch=${TORCH:-python3}; status=0
export PLATEFLEET_ENGINES=$models PLATEFLEET_BARRIER_PHOTOS=$models/photos PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
cd "$here/../.."

step() { # name seconds command...
  local name=$1 most=$2; shift 2
  echo "== $name"
  timeout "$most" "$@" 2>&1 | tee "$out/$name.log" || { echo "$name failed"; status=1; }
}

step two_pt 300 "$torch" -m tests.gpu.figure_two_pt "$models" "$out"
step two_build 300 "$trt" -m tests.gpu.figure_two build "$models" "$out" vehicle-fp16 plate-fp16
step beside_30 300 "$trt" -m tests.gpu.beside_a_build "$models" "$out" plate-int8 30
step beside_all 300 "$trt" -m tests.gpu.beside_a_build "$models" "$out" vehicle-int8 0
step two_judge 600 "$trt" -m tests.gpu.figure_two judge "$models" "$out"
step four 400 "$trt" -m tests.gpu.figure_four "$models" "$out"
step six 200 "$trt" -m tests.gpu.figure_six "$models" "$out"
step eight 200 "$trt" -m tests.gpu.figure_eight "$models" "$out"
step ladder 400 "$trt" -m tests.gpu.figure_ladder "$models" "$out"

mkdir -p "$models/level1"
step level1_vehicle 400 "$trt" -m tests.gpu.build_engine "$models/vehicle-640.onnx" "$models/level1/vehicle-fp16.engine" \
  --size 640 --precision fp16 --level 1 --batch 1
step level1_plate 400 "$trt" -m tests.gpu.build_engine "$models/plate-416.onnx" "$models/level1/plate-fp16.engine" \
  --size 416 --precision fp16 --level 1 --batch 0
for level in 0 1; do
  [ $level = 1 ] && export PLATEFLEET_ENGINES=$models/level1
  step "one_pt_$level" 200 "$torch" -m tests.gpu.figure_one_pt "$models/vehicle.pt" "$models/plate.pt" "$models/photos" \
    "$out/pt_$level.json"
  step "one_$level" 200 "$trt" -m tests.gpu.figure_one "$out/pt_$level.json" "$out/figure_one_level$level.json"
done
step one_plot 60 "$trt" -m tests.gpu.figure_one_plot "$out/figure_one.png" \
  "FP16, level 0=$out/figure_one_level0.json" "FP16, level 1=$out/figure_one_level1.json"
exit $status
