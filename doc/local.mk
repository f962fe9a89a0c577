# Manual pages, the plan format and the architecture.
dist_man_MANS += %D%/edgec.1 %D%/edgert.1
dist_doc_DATA += %D%/architecture.md %D%/security.md %D%/language.md %D%/tuning.md
dist_doc_DATA += %D%/quantization.md
EXTRA_DIST += %D%/README.md
dist_doc_DATA += %D%/plan-format.txt
EXTRA_DIST += %D%/benchmarks.md %D%/benchmarks/README.md %D%/benchmarks/cold.svg %D%/benchmarks/warm.svg %D%/benchmarks/memory.svg %D%/benchmarks/budget.svg %D%/benchmarks/steps.svg %D%/benchmarks-chain.md %D%/benchmarks-llm.md
dist_doc_DATA += %D%/training.md
