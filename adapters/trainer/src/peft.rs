//! Adapters in the layout of PEFT: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::Path;

use candle_core::Device;
use gristmill_domain::training::Lora;
use serde_json::json;

use crate::Error;
use crate::model::Model;

const WEIGHTS: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";

/// Layers that an adapter changes, by the last part of their names.
const LAYERS: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];

/// Writes the adapter of a model into a folder.
///
/// # Errors
/// [`Error::Io`], [`Error::Compute`].
pub(crate) fn write(model: &Model, lora: &Lora, base: &Path, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    model.save_trained(&folder.join(WEIGHTS))?;
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.display().to_string(),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": LAYERS,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
        "layers_to_transform": null,
    });
    let path = folder.join(CONFIG);
    let text = serde_json::to_vec_pretty(&config).map_err(|error| Error::model(&path, error))?;
    std::fs::write(&path, text).map_err(Error::io(&path))
}

/// The size of an adapter in a folder.
///
/// # Errors
/// [`Error::Model`] for files that cannot be read, or an adapter of another kind.
pub(crate) fn size(folder: &Path) -> Result<Lora, Error> {
    let path = folder.join(CONFIG);
    let wrong = |reason: String| Error::model(&path, reason);
    let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let config: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if config["peft_type"] != "LORA" {
        return Err(wrong(format!(
            "`peft_type` is {}, and only `LORA` is read",
            config["peft_type"]
        )));
    }
    for (key, usual) in [
        ("use_rslora", false),
        ("use_dora", false),
        ("fan_in_fan_out", false),
    ] {
        if config[key].as_bool().unwrap_or(usual) != usual {
            return Err(wrong(format!("`{key}` is set, and such adapters are not read")));
        }
    }
    let number = |key: &str| {
        config[key]
            .as_f64()
            .ok_or_else(|| wrong(format!("`{key}` is missing")))
    };
    Ok(Lora {
        rank: number("r")? as u32,
        alpha: number("lora_alpha")?,
        dropout: config["lora_dropout"].as_f64().unwrap_or_default(),
    })
}

/// Fills a model's adapters with those of a folder.
///
/// # Errors
/// [`Error::Model`] where one is missing, of another size, or fits no layer.
pub(crate) fn read(model: &Model, folder: &Path) -> Result<(), Error> {
    let path = folder.join(WEIGHTS);
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|error| Error::model(&path, error))?;
    for (name, var) in model.trained() {
        let tensor = tensors
            .remove(&name)
            .ok_or_else(|| Error::model(&path, format!("the tensor `{name}` is missing")))?;
        if tensor.dims() != var.dims() {
            let reason = format!(
                "the tensor `{name}` has the size {:?}, and {:?} fits",
                tensor.dims(),
                var.dims()
            );
            return Err(Error::model(&path, reason));
        }
        var.set(&tensor.to_dtype(var.dtype())?.to_device(var.device())?)?;
    }
    match tensors.keys().min() {
        None => Ok(()),
        Some(name) => Err(Error::model(
            &path,
            format!("the tensor `{name}` fits no layer of the base model"),
        )),
    }
}
