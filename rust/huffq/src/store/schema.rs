//! What the fields of a file are.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::segment::Form;
use crate::{Alphabet, Axes, Geometry, Level};

/// Most symbols of one sample: its block's length then fits the index.
const MAX_SAMPLE_SYMBOLS: u64 = 1 << 31;

/// The fields of a file, in order, and what its writer says about it.
///
/// Serialised as JSON. `attributes` and `metadata` are free-form JSON that is kept as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Schema {
    /// `"fast"` or `"dense"`; absent asks for the default.
    #[serde(default = "default_level")]
    pub level: String,
    /// At least one; names differ.
    pub fields: Vec<FieldSchema>,
    /// About the whole file.
    #[serde(default = "null")]
    pub metadata: Box<RawValue>,
}

/// One named array; its first axis, the samples, is not part of the shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldSchema {
    /// Free text.
    pub name: String,
    /// Bit width of the codes, 1 to 8.
    pub bits: u8,
    /// Whether the codes are two's complement.
    pub signed: bool,
    /// Shape of one sample.
    pub sample_shape: Vec<u64>,
    /// Axes of a sample, from the channels on; absent or null asks for those of its shape.
    #[serde(default)]
    pub axes: Option<FieldAxes>,
    /// Samples in a block, all but the last of the field; absent or 0 asks for the default.
    #[serde(default)]
    pub block_samples: u64,
    /// About this field.
    #[serde(default = "null")]
    pub attributes: Box<RawValue>,
}

/// The axes of a sample that coding looks at, see [`Axes`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FieldAxes {
    /// The channels' axis.
    pub channel: Option<usize>,
    /// The first and the second neighbour axis.
    pub neighbours: [Option<usize>; 2],
}

fn default_level() -> String {
    let (name, _) = Level::ALL.iter().find(|(_, l)| *l == Level::default()).expect("it is listed");
    name.to_string()
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl Schema {
    /// Reads and checks a schema.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] says what is wrong with it.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut schema: Self = serde_json::from_str(json)
            .map_err(|e| Error::argument("schema", e, "be JSON that describes the fields"))?;
        if schema.fields.is_empty() {
            return Err(Error::argument("number of fields", 0, "be at least 1"));
        }
        let level = Level::by_name(&schema.level)?;
        let mut names = HashSet::new();
        for field in &mut schema.fields {
            field.check(level)?;
            if !names.insert(field.name.clone()) {
                return Err(Error::argument("field name", &field.name, "occur once only"));
            }
        }
        Ok(schema)
    }

    /// How each field is coded, in order.
    pub(super) fn forms(&self) -> Vec<Form> {
        let level = Level::by_name(&self.level).expect("a checked schema");
        self.fields.iter().map(|field| field.form(level)).collect()
    }

    /// The schema as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }
}

impl FieldSchema {
    fn check(&mut self, level: Level) -> Result<()> {
        Alphabet::new(self.bits, self.signed)?;
        let symbols = self.sample_shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
        let Some(symbols) = symbols.filter(|&n| n <= MAX_SAMPLE_SYMBOLS) else {
            let shape = format!("{:?} of field {:?}", self.sample_shape, self.name);
            return Err(Error::argument("sample shape", shape, "have at most 2^31 elements"));
        };
        let most = (level.block_symbols() as u64 / symbols.max(1)).max(1);
        if self.block_samples == 0 {
            self.block_samples = most;
        }
        self.geometry()?;
        let Axes { channel, neighbours } = self.named_axes();
        self.axes = Some(FieldAxes { channel, neighbours });
        // A block is decoded whole, whatever part of it is wanted.
        if self.block_samples > most {
            let expected =
                format!("be 1, or give blocks of at most {} symbols", level.block_symbols());
            return Err(Error::argument("block_samples", self.block_samples, expected));
        }
        Ok(())
    }

    fn shape(&self) -> Vec<usize> {
        self.sample_shape.iter().map(|&len| len as usize).collect()
    }

    fn named_axes(&self) -> Axes {
        match self.axes {
            Some(FieldAxes { channel, neighbours }) => Axes { channel, neighbours },
            None => Axes::of_shape(&self.shape()),
        }
    }

    fn geometry(&self) -> Result<Geometry> {
        Geometry::new(&self.shape(), self.named_axes())
    }

    fn form(&self, level: Level) -> Form {
        let geometry = self.geometry().expect("a checked schema");
        let block_samples = self.block_samples as usize;
        Form { level, alphabet: self.alphabet(), geometry, block_samples }
    }

    /// The integers that the field may hold.
    pub fn alphabet(&self) -> Alphabet {
        Alphabet::new(self.bits, self.signed).expect("a checked schema")
    }

    /// Symbols of one sample.
    pub fn sample_len(&self) -> usize {
        self.sample_shape.iter().product::<u64>() as usize
    }

    /// Blocks that `samples` samples make.
    pub fn blocks(&self, samples: u64) -> u64 {
        samples.div_ceil(self.block_samples)
    }

    /// Samples in block `block` of a field of `samples` samples.
    pub(super) fn samples_in_block(&self, block: u64, samples: u64) -> u64 {
        (samples - block * self.block_samples).min(self.block_samples)
    }
}
