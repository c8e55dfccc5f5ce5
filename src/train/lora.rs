//! Trainable LoRA weights: all matrices of an adapter in one flat list, with its table of contents.
//!
//! One list makes the optimiser, clipping, checkpoints and comparisons a loop each. Matrices are in PEFT's
//! layout: `A` `[r, in]`, `B` `[out, r]`; `y = W x + s B (A x)` with s = alpha / r, or alpha / sqrt(r) for
//! rank-stabilised LoRA.

use super::error::TrainError;
use crate::model::{
    config::Config,
    lora::Projection,
    peft::{self, LoraConfig, TARGETS},
};
use half::f16;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, ops::Range, path::Path};

/// The shape of an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraShape {
    pub rank: usize,
    pub alpha: f32,
    /// alpha / sqrt(rank) instead of alpha / rank.
    pub rslora: bool,
    /// Share of an adapter's inputs that is zeroed in training.
    pub dropout: f32,
    /// `q_proj`, `v_proj`, …
    pub targets: Vec<String>,
}

impl LoraShape {
    /// The factor of `B A x`.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f32;
        if self.rslora { self.alpha / rank.sqrt() } else { self.alpha / rank }
    }
}

/// One adapted projection.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub layer: usize,
    pub projection: Projection,
    /// `self_attn.q_proj`
    pub target: &'static str,
    pub inputs: usize,
    pub outputs: usize,
    /// First output within the stacked projection.
    pub out_start: usize,
    /// Where `A` `[rank, inputs]` lies in the list; `B` `[outputs, rank]` follows.
    pub a: Range<usize>,
    pub b: Range<usize>,
}

/// The weights of an adapter in training.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    pub shape: LoraShape,
    /// Sorted by layer and projection.
    pub sites: Vec<Site>,
    pub values: Vec<f32>,
}

impl Lora {
    /// A new adapter: `A` uniform within ±1 / sqrt(inputs), as PEFT's default, `B` zero.
    pub fn new(shape: LoraShape, config: &Config, seed: u64) -> Result<Lora, TrainError> {
        let sites = Lora::sites(&shape, config)?;
        let mut values = vec![0f32; sites.last().map_or(0, |site| site.b.end)];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for site in &sites {
            let bound = 1.0 / (site.inputs as f32).sqrt();
            values[site.a.clone()].iter_mut().for_each(|v| *v = rng.random_range(-bound..bound));
        }
        Ok(Lora { shape, sites, values })
    }

    /// Where an adapter of `shape` stands, site after site: each `A`, then its `B`.
    fn sites(shape: &LoraShape, config: &Config) -> Result<Vec<Site>, TrainError> {
        let short = |target: &str| target.rsplit('.').next().unwrap_or(target).to_owned();
        if let Some(wrong) = shape.targets.iter().find(|t| TARGETS.iter().all(|(name, _)| short(name) != **t))
        {
            return Err(TrainError::UnknownTarget(wrong.clone()));
        }
        let mut sites = Vec::new();
        let mut end = 0;
        for layer in 0..config.layers {
            for projection in [Projection::Qkv, Projection::Output, Projection::GateUp, Projection::Down] {
                let mut out_start = 0;
                for (target, _) in TARGETS.iter().filter(|(_, p)| *p == projection) {
                    let (inputs, outputs) = peft::dimensions(config, target);
                    if shape.targets.contains(&short(target)) {
                        let a = end..end + shape.rank * inputs;
                        let b = a.end..a.end + outputs * shape.rank;
                        end = b.end;
                        sites.push(Site { layer, projection, target, inputs, outputs, out_start, a, b });
                    }
                    out_start += outputs;
                }
            }
        }
        Ok(sites)
    }

    /// The sites of one stacked projection.
    pub fn at(&self, layer: usize, projection: Projection) -> &[Site] {
        let start = self.sites.partition_point(|s| s.layer < layer);
        let of_layer = &self.sites[start..];
        let of_layer = &of_layer[..of_layer.partition_point(|s| s.layer == layer)];
        let from = of_layer.iter().position(|s| s.projection == projection).unwrap_or(of_layer.len());
        let count = of_layer[from..].iter().take_while(|s| s.projection == projection).count();
        &of_layer[from..from + count]
    }

    /// Reads an adapter in PEFT format, to train it on; dropout is `dropout`.
    ///
    /// # Errors
    /// Adapters whose rank or alpha differ between projections: training knows one of each.
    pub fn load(folder: &Path, config: &Config, dropout: f32) -> Result<Lora, TrainError> {
        use crate::model::{safetensors::SafetensorsFolder, weights::WeightSource};
        let settings = LoraConfig::read(folder)?;
        if !settings.rank_pattern.is_empty() || !settings.alpha_pattern.is_empty() {
            return Err(TrainError::format(folder, "ranks differ between projections; train it elsewhere"));
        }
        let mut source = SafetensorsFolder::open(folder)?;
        let mut found: Vec<&str> = TARGETS
            .iter()
            .filter(|(target, _)| source.names().any(|n| n.contains(&format!(".{target}.lora_A"))))
            .map(|(target, _)| target.rsplit('.').next().unwrap_or(target))
            .collect();
        found.dedup();
        let shape = LoraShape {
            rank: settings.r,
            alpha: settings.lora_alpha,
            rslora: settings.use_rslora,
            dropout,
            targets: found.into_iter().map(str::to_owned).collect(),
        };
        // The values grow as they are read: the file, not the rank that it claims, says how much memory is used.
        let (sites, mut values) = (Lora::sites(&shape, config)?, Vec::new());
        for site in &sites {
            values.extend(source.tensor(&name(site, "A"), &[shape.rank, site.inputs])?);
            values.extend(source.tensor(&name(site, "B"), &[site.outputs, shape.rank])?);
        }
        Ok(Lora { shape, sites, values })
    }

    /// Writes the adapter in PEFT format, as half floats; `base` is the model's name on the hub.
    pub fn save(&self, folder: &Path, base: &str) -> Result<(), TrainError> {
        fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
        let targets: Vec<&str> = self.shape.targets.iter().map(String::as_str).collect();
        let mut settings =
            LoraConfig::new(base, self.shape.rank, self.shape.alpha, self.shape.rslora, &targets);
        settings.lora_dropout = self.shape.dropout;
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .sites
            .iter()
            .flat_map(|site| {
                let half = |range: &Range<usize>| {
                    self.values[range.clone()].iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()
                };
                [
                    (name(site, "A"), vec![self.shape.rank, site.inputs], half(&site.a)),
                    (name(site, "B"), vec![site.outputs, self.shape.rank], half(&site.b)),
                ]
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, shape, data)| Ok((name.clone(), TensorView::new(Dtype::F16, shape.clone(), data)?)))
            .collect::<Result<BTreeMap<_, _>, safetensors::SafeTensorError>>()
            .map_err(|e| TrainError::format(folder, e))?;
        let weights = safetensors::serialize(views, None).map_err(|e| TrainError::format(folder, e))?;
        let text = serde_json::to_string_pretty(&settings).map_err(|e| TrainError::format(folder, e))?;
        write(&folder.join("adapter_model.safetensors"), &weights)?;
        write(&folder.join("adapter_config.json"), text.as_bytes())
    }
}

fn name(site: &Site, part: &str) -> String {
    format!("base_model.model.model.layers.{}.{}.lora_{part}.weight", site.layer, site.target)
}

/// Writes beside the place and moves there: a reader never sees half a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = std::path::PathBuf::from(draft);
    fs::write(&draft, bytes).map_err(TrainError::io(&draft))?;
    fs::rename(&draft, path).map_err(TrainError::io(path))
}
