//! The numbers against scikit-learn, SciPy, statsmodels and the published scripts, and against facts of real data.

mod cli;
mod data;
mod goldens;
