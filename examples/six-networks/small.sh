# SPDX-License-Identifier: Apache-2.0
# small.sh - the six networks with few layers and small pictures: 268 MiB of weights instead of 6.4 GB.
# shellcheck disable=SC2034 # used by those who source this
small=(--set vit_layers=1 --set quarter=1 --set text_layers=1 --set speech_layers=1 --set dim=256
	--set vocabulary=1000 --set base=32 --set third=2 --set rows=6 --set columns=5 --set h=8 --set w=8
	--set frames=40 --set side=64)
# shellcheck disable=SC2034
small_budget=12MiB
