"""Members as arrays of SLURM: `sbatch`, `squeue`, `scancel`, and files on a shared folder."""
