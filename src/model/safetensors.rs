//! Folders of safetensors: one file or shards, in 32-bit, 16-bit or bfloat16 floats.

use super::{
    error::ModelError,
    weights::{RawTensor, WeightSource},
};
use half::{bf16, f16};
use safetensors::{Dtype, tensor::Metadata};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// An open folder. Tensors are read one at a time; nothing else is held.
pub struct SafetensorsFolder {
    folder: PathBuf,
    shards: Vec<Shard>,
    /// Which shard has a tensor.
    places: HashMap<String, usize>,
}

struct Shard {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where tensor data begins.
    start: u64,
}

impl SafetensorsFolder {
    /// Opens all `*.safetensors` of `folder` and reads their headers.
    pub fn open(folder: &Path) -> Result<SafetensorsFolder, ModelError> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .map_err(ModelError::io(folder))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .collect();
        paths.sort();
        if paths.is_empty() {
            return Err(ModelError::format(
                folder,
                "no .safetensors file here; fetch the model again, or give a .gguf file",
            ));
        }
        let shards = paths.into_iter().map(Shard::open).collect::<Result<Vec<_>, _>>()?;
        let mut places = HashMap::new();
        for (i, shard) in shards.iter().enumerate() {
            places.extend(shard.metadata.tensors().into_keys().map(|name| (name, i)));
        }
        Ok(SafetensorsFolder { folder: folder.to_owned(), shards, places })
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The files, sorted by name.
    pub fn files(&self) -> Vec<PathBuf> {
        self.shards.iter().map(|s| s.path.clone()).collect()
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Shard, ModelError> {
        let mut file = File::open(&path).map_err(ModelError::io(&path))?;
        let length = file.metadata().map_err(ModelError::io(&path))?.len();
        let mut size = [0u8; 8];
        file.read_exact(&mut size).map_err(ModelError::io(&path))?;
        let header = u64::from_le_bytes(size);
        if header > length.saturating_sub(8) {
            return Err(ModelError::format(&path, "the header is longer than the file; is it complete?"));
        }
        let mut bytes = Vec::new();
        file.by_ref().take(header).read_to_end(&mut bytes).map_err(ModelError::io(&path))?;
        let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|e| ModelError::format(&path, e))?;
        if metadata.data_len() as u64 != length - 8 - header {
            return Err(ModelError::format(
                &path,
                "the file is not as long as its header says; fetch it again",
            ));
        }
        Ok(Shard { path, file, metadata, start: 8 + header })
    }
}

impl WeightSource for SafetensorsFolder {
    fn path(&self) -> &Path {
        &self.folder
    }

    fn read(&mut self, name: &str) -> Result<Option<RawTensor>, ModelError> {
        let Some(shard) = self.places.get(name).map(|i| &mut self.shards[*i]) else { return Ok(None) };
        let Some(info) = shard.metadata.info(name) else { return Ok(None) };
        let (from, to) = info.data_offsets;
        let (shape, dtype) = (info.shape.clone(), info.dtype);
        let mut bytes = vec![0u8; to - from];
        shard
            .file
            .seek(SeekFrom::Start(shard.start + from as u64))
            .and_then(|_| shard.file.read_exact(&mut bytes))
            .map_err(ModelError::io(&shard.path))?;
        let values = floats(dtype, &bytes).ok_or_else(|| {
            ModelError::unsupported(
                &shard.path,
                format!("tensor `{name}` of type {dtype:?}"),
                "convert the weights to F32, F16 or BF16",
            )
        })?;
        Ok(Some(RawTensor { shape, values }))
    }
}

/// Little-endian floats of 32 or 16 bits; `None` for other types.
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = || bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => Some(pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::BF16 => Some(pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
        _ => None,
    }
}
