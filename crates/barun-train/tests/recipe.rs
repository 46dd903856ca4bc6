//! The recipe as a user meets it: defaults, changes, and the exact words of every refusal. [TRAIN-07]

use barun_data::Augment;
use barun_nn::Hyper;
use barun_nn::hyper::Value;
use barun_nn::schedules::Span;
use barun_train::recipe::{Kind, Layer, Model, Units};
use barun_train::{Draft, Recipe};

/// The names of a family, as messages list them.
fn optimizers() -> String {
    names(barun_nn::optimizers::all())
}
fn schedules() -> String {
    // Warming up is a key of every schedule.
    names(barun_nn::schedules::all()).replace(", warmup", "")
}
fn activations() -> String {
    names(barun_nn::activations::all())
}
fn layers() -> String {
    let own = "conv, linear, prelu, maxout, maxpool, avgpool, globalavgpool, flatten, batchnorm, layernorm, rmsnorm, groupnorm, noise, alpha_dropout, dropout, smooth_clip, \
               periodic, member_scale, member_head, residual";
    format!("{own}, {}", activations())
}
fn names<T: Hyper>(all: Vec<T>) -> String {
    all.iter().map(|thing| thing.name()).collect::<Vec<_>>().join(", ")
}

fn refusal(text: &str) -> String {
    Recipe::from_toml(text, "r.toml").expect_err("the recipe is refused").to_string()
}

/// The refusal of a recipe for the digits with `lines` added.
fn refused(lines: &str) -> String {
    refusal(&format!("data.source = \"digits\"\n{lines}"))
}

fn set(assignments: &[&str]) -> Result<Recipe, barun_train::Error> {
    let mut draft = Draft::for_source("digits");
    assignments.iter().try_for_each(|assignment| draft.set(assignment))?;
    draft.resolve()
}

/// A setting of a model by name.
fn setting(model: &Model, name: &str) -> Value {
    let Model::Named(model) = model else { panic!("a model by name") };
    let found = model.settings().into_iter().find(|setting| setting.name == name);
    found.unwrap_or_else(|| panic!("{} has {name}", model.name())).value
}

#[test]
fn images_and_tables_have_defaults_of_their_own() {
    let images = Recipe::for_source("digits").unwrap();
    let table = Recipe::for_source("houses.CSV").unwrap();
    assert_eq!((images.train.epochs, images.batch_size(9_600)), (Some(10), 128));
    assert_eq!((table.train.epochs, table.train.batch_size), (None, None));
    let models = [&images, &table].map(|recipe| (recipe.model.name(), setting(&recipe.model, "hidden")));
    let sizes = |sizes: [i64; 2]| Value::List(sizes.map(Value::Whole).to_vec());
    assert_eq!(models, [("mlp", sizes([512, 256])), ("tabular", sizes([256, 256]))]);
    assert_eq!((images.train.optimizer.name(), images.train.optimizer.lr()), ("adam", 1e-3));
    assert_eq!((table.train.optimizer.name(), table.train.optimizer.lr()), ("adamw", 2e-3));
    assert_eq!(Kind::of("moons"), Kind::Table);
}

#[test]
fn an_augmentation_is_a_preset_and_what_is_set_over_it() {
    let read =
        |augment: &str| Recipe::from_toml(&format!("data.source = 'mnist'\n{augment}"), "r.toml").unwrap();
    let settings = |recipe: &Recipe| recipe.data.augment.settings();
    assert_eq!(settings(&read("")), Augment::NONE);
    assert_eq!(settings(&read("data.augment = 'digits'")), Augment::DIGITS);
    let turned = read("[data.augment]\npreset = 'natural'\nrotate = 5\nflip = 0.0");
    assert_eq!(settings(&turned), Augment { rotate: 5.0, flip: 0.0, ..Augment::NATURAL });
    for recipe in [turned, read("data.augment = 'digits'"), read("data.augment.mixup = 0.2")] {
        assert_eq!(Recipe::from_toml(&recipe.to_toml(), "r.toml").unwrap(), recipe);
    }
    assert_eq!(
        refused("data.augment = \"digit\""),
        "r.toml:2: `data.augment.preset` is \"digit\", which is not an augmentation; did you mean \"digits\"? \
         Known: none, digits, natural"
    );
    assert_eq!(
        refused("data.augment.flip = 2"),
        "r.toml:2: `data.augment.flip` is 2; it must be a chance from 0 to 1"
    );
}

#[test]
fn the_resolved_recipe_writes_every_default_out() {
    let text = Recipe::for_source("digits").unwrap().to_toml();
    assert_eq!(
        text,
        r#"[data]
source = "digits"
task = "auto"
ignore = []
normalize = "auto"

[data.table]
categorical = []
numeric = []
header = "auto"
encoding = "utf-8"
one_hot_most = 32
in_memory_mib = 1024

[data.augment]
preset = "none"

[data.images]
colour = "auto"
skip_unreadable = false

[data.split]
train = 0.8
valid = 0.1
test = 0.1
method = "auto"
copies = "together"
folds = 0
fold = 0
seed = 0

[model]
name = "mlp"
hidden = [512, 256]
activation = "relu"
batch_norm = "none"
dropout = 0.0
init = "auto"
bias_init = "zeros"

[train]
epochs = 10
loss = "auto"
seed = 0
precision = "f32"
accumulate = 1
exact_statistics = false
l1 = 0.0
l2 = 0.0
weight_noise = 0.0
best_by = "auto"

[train.optimizer]
name = "adam"
lr = 0.001
beta1 = 0.9
beta2 = 0.999
eps = 1e-8
epsilon = "outside"
weight_decay = 0.0

[train.schedule]
name = "cosine"
min_lr = 0.0
over = "100 %"
warmup = "0 steps"

[train.early_stopping]
min_delta = 0.0

[train.checkpoint]
seconds = 10.0

[doctor]
mode = "advise"
acknowledge = []
budget = 0.1
abandon = false
"#
    );
}

#[test]
fn a_written_recipe_reads_back_the_same() {
    let texts = [
        "data.source = \"digits\"",
        "data.source = 'C:\\data \"x\"\\t.csv'\ndata.target = \"price\\nper day\"\ntrain.optimizer = \"nesterov\"",
        "data.source = \"d\"\nmodel = \"lenet\"\ntrain.schedule = \"constant\"\ntrain.lr = 1",
        "data.source = \"d\"\nmodel.name = \"cnn\"\nmodel.channels = [8]\ntrain.seed = 9007199254740993",
        "data.source = \"d\"\nmodel.name = \"resnet18\"\nmodel.width = 8",
        r#"
        data.source = "d"
        [model]
        layers = [
            { type = "conv", channels = 32, kernel = 5, stride = 2, padding = 2, dilation = 1, groups = 1, bias = false },
            "batchnorm", "relu",
            { type = "residual", layers = [{ type = "conv", channels = 32, padding = 1 }, "relu"] },
            { type = "maxpool", size = 3, stride = 2 }, "avgpool", "globalavgpool", "flatten",
            { type = "dropout", rate = 0.25 },
            { type = "linear", units = "classes" },
        ]
        "#,
    ];
    for text in texts {
        let recipe = Recipe::from_toml(text, "r.toml").unwrap();
        let written = recipe.to_toml();
        assert_eq!(Recipe::from_toml(&written, "written").unwrap(), recipe, "{written}");
        assert_eq!(Recipe::from_toml(&written, "written").unwrap().to_toml(), written);
    }
}

#[test]
fn a_layer_list_is_a_model_and_a_name_alone_is_a_layer() {
    let recipe = Recipe::from_toml(
        "data.source = 'd'\n[model]\nlayers = ['flatten', {type = 'linear', units = 'classes', bias = false}]",
        "r.toml",
    )
    .unwrap();
    let Model::Layers { layers, .. } = recipe.model else { panic!("a list of layers") };
    assert_eq!(layers, [Layer::Flatten, Layer::Linear { units: Units::Classes, bias: false }]);
}

#[test]
fn set_takes_toml_values_and_bare_words() {
    let recipe = set(&[
        "train.lr=3e-4",
        "train.epochs = 3",
        "model.hidden=[50]",
        "model.activation=tanh",
        "model.batch_norm=true",
        "model.dropout=.5",
        "data.target=sale price",
        "train.schedule={name=\"cosine\", warmup=\"1 epoch\"}",
    ])
    .unwrap();
    assert_eq!(recipe.train.optimizer.lr(), 3e-4);
    assert_eq!(recipe.train.epochs, Some(3));
    assert_eq!(recipe.data.target.as_deref(), Some("sale price"));
    assert_eq!(recipe.train.schedule.schedule.name(), "cosine");
    assert_eq!(recipe.train.schedule.warmup, Span::Epochs(1.0));
    let of_model = |name: &str| setting(&recipe.model, name);
    assert_eq!(of_model("hidden"), Value::List(vec![Value::Whole(50)]));
    assert_eq!(of_model("activation"), Value::Text("tanh".into()));
    assert_eq!(of_model("batch_norm"), Value::Text("before_activation".into()));
    assert_eq!(of_model("dropout"), Value::Number(0.5));
}

#[test]
fn the_order_of_set_does_not_matter_and_the_last_wins() {
    let one =
        set(&["train.optimizer.momentum=0.8", "train.lr=0.5", "train.optimizer.name=momentum"]).unwrap();
    let two =
        set(&["train.optimizer.name=momentum", "train.lr=9", "train.lr=0.5", "train.optimizer.momentum=0.8"])
            .unwrap();
    assert_eq!(one.train.optimizer, two.train.optimizer);
    let values: Vec<_> = one.train.optimizer.settings().into_iter().map(|s| (s.name, s.value)).collect();
    assert_eq!(values[..2], [("lr", Value::Number(0.5)), ("momentum", Value::Number(0.8))]);
}

#[test]
fn the_learning_rate_has_two_names_and_set_wins_by_either() {
    let text = "data.source = 'd'\ntrain.lr = 0.5\ntrain.optimizer.name = 'sgd'";
    for assignment in ["train.lr=0.25", "train.optimizer.lr=0.25"] {
        let mut draft = Draft::from_toml(text, "r.toml").unwrap();
        draft.set(assignment).unwrap();
        assert_eq!(draft.resolve().unwrap().train.optimizer.lr(), 0.25);
    }
}

#[test]
fn a_name_for_a_whole_table_replaces_it() {
    let mut draft = Draft::from_toml("data.source = 'd'\n[model]\nhidden = [5]", "r.toml").unwrap();
    draft.set_text("model", "lenet", "--model").unwrap();
    assert_eq!(draft.resolve().unwrap().model.name(), "lenet");
}

#[test]
fn the_order_of_arguments_does_not_matter() {
    for order in [["train.lr=0.5", "train.optimizer=sgd"], ["train.optimizer=sgd", "train.lr=0.5"]] {
        let text = "data.source = 'd'\n[train.optimizer]\nname = 'adam'\nbeta1 = 0.8\nlr = 0.25";
        let mut draft = Draft::from_toml(text, "r.toml").unwrap();
        order.iter().for_each(|assignment| draft.set(assignment).unwrap());
        let optimizer = draft.resolve().unwrap().train.optimizer;
        assert_eq!((optimizer.name(), optimizer.lr()), ("sgd", 0.5), "{order:?}");
    }
    let mut draft = Draft::for_source("d");
    draft.set("train.optimizer.beta1=0.8").unwrap();
    draft.set("train.optimizer=sgd").unwrap();
    assert!(draft.resolve().unwrap_err().to_string().contains("--set train.optimizer.beta1=0.8"));
}

#[test]
fn every_recipe_key_is_documented() {
    let keys = Recipe::keys();
    for key in &keys {
        assert!(key.doc.ends_with('.') && key.doc.len() > 5, "{key:?}");
        assert!(!key.expects.is_empty() && !key.default.is_empty(), "{key:?}");
    }
    let key =
        |path: &str| keys.iter().find(|key| key.path == path).unwrap_or_else(|| panic!("{path} is listed"));
    assert_eq!(key("data.source").default, "required");
    assert_eq!(key("data.target").default, "not given");
    assert_eq!(key("train.epochs").default, "10 (tables: not given)");
    assert_eq!(key("train.epochs").expects, "a whole number: 1 or more");
    assert_eq!(key("train.optimizer.name").expects, format!("one of {}", optimizers()));
    assert_eq!(key("train.optimizer.beta1").only_for.as_deref(), Some("adam"));
    assert_eq!(key("model.name").default, "\"mlp\" (tables: \"tabular\")");
    assert_eq!(key("train.best_by").default, "\"auto\" (tables: \"loss\")");
    assert_eq!(key("model.hidden").default, "[512, 256] (tables: [64, 64])");
    assert_eq!(key("model.layers[].kernel").default, "3");
}

#[test]
fn every_key_of_a_written_recipe_is_listed() {
    let keys = Recipe::keys();
    for source in ["digits", "t.csv"] {
        let text = Recipe::for_source(source).unwrap().to_toml();
        let mut table = String::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix('[') {
                Some(header) => table = header.trim_end_matches(']').to_string(),
                None => {
                    let path = format!("{table}.{}", line.split(" = ").next().unwrap());
                    assert!(keys.iter().any(|key| key.path == path), "{path}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_key_gets_the_nearest_one() {
    assert_eq!(
        refused("[train]\nepochs = 3\noptimiser = \"adam\""),
        "r.toml:4: unknown key `train.optimiser`; did you mean `train.optimizer`?"
    );
    assert_eq!(refused("trian.epochs = 3"), "r.toml:2: unknown key `trian`; did you mean `train`?");
    assert_eq!(
        refused("train.hidden = [3]"),
        "r.toml:2: unknown key `train.hidden`; did you mean `model.hidden`?"
    );
    assert_eq!(
        refused("train.learning_rate = 0.1"),
        "r.toml:2: unknown key `train.learning_rate`; did you mean `train.lr`?"
    );
    assert_eq!(refused("lr = 0.1"), "r.toml:2: unknown key `lr`; did you mean `train.lr`?");
    assert_eq!(
        refused("data.zebra = 1"),
        "r.toml:2: unknown key `data.zebra`; known here: source, target, task, ignore, valid_source, test_source, \
         normalize, table, augment, images, split"
    );
}

#[test]
fn a_key_of_another_optimizer_or_layer_is_told_apart_from_a_slip() {
    assert_eq!(
        refused("[train.optimizer]\nname = \"sgd\"\nbeta1 = 0.9"),
        "r.toml:4: unknown key `train.optimizer.beta1`; \"sgd\" has no `beta1`, it belongs to adam, adamw, adamax, \
         nadam, radam, amsgrad, lion, lamb; \"sgd\" has lr, weight_decay"
    );
    assert_eq!(
        refused("train.optimizer.bta1 = 0.9"),
        "r.toml:2: unknown key `train.optimizer.bta1`; did you mean `train.optimizer.beta1`?"
    );
    assert_eq!(
        refused("train.optimizer.zebra = 1"),
        "r.toml:2: unknown key `train.optimizer.zebra`; \"adam\" has lr, beta1, beta2, eps, epsilon, weight_decay"
    );
    assert_eq!(
        refused("model.layers = [\n  \"flatten\",\n  { type = \"relu\", slop = 1 },\n]"),
        "r.toml:4: unknown key `model.layers[1].slop`; \"relu\" has at_zero"
    );
    assert_eq!(
        refused("model.layers = [{ type = \"conv\", channels = 3, units = 1 }]"),
        "r.toml:2: unknown key `model.layers[0].units`; \"conv\" has no `units`, it belongs to linear, member_head; \
         \"conv\" has channels, kernel, stride, padding, dilation, groups, bias"
    );
    assert_eq!(
        refused("model.name = \"mlp\"\nmodel.layers = [\"relu\"]"),
        "r.toml:3: unknown key `model.layers`; \"mlp\" has no `layers`, it belongs to rnn, lstm, transformer, layers; \
         \"mlp\" has hidden, activation, batch_norm, dropout, init, bias_init"
    );
}

#[test]
fn what_a_step_does_beside_the_update_is_said_in_a_few_words() {
    let recipe = set(&[
        "train.clip=norm(1)",
        "train.average=ema(0.99)",
        "train.accumulate=4",
        "train.l1=1e-5",
        "train.schedule={name=\"step\", every=\"3 epochs\", warmup=\"5 %\"}",
        "train.loss={name=\"huber\", delta=0.5}",
        "model.activation={name=\"elu\", alpha=0.5}",
        "model.init=orthogonal(1.4)",
    ])
    .unwrap();
    let written = recipe.to_toml();
    for line in [
        "clip = \"norm(1)\"",
        "average = \"ema(0.99)\"",
        "every = \"3 epochs\"",
        "warmup = \"5 %\"",
        "init = \"orthogonal(1.4)\"",
    ] {
        assert!(written.contains(line), "{line} in\n{written}");
    }
    assert_eq!(Recipe::from_toml(&written, "written").unwrap(), recipe, "{written}");
    let refusal = |assignment: &str| set(&[assignment]).unwrap_err().to_string();
    assert_eq!(
        refusal("train.clip=norm(0)"),
        "--set train.clip=norm(0): `train.clip` is the text \"norm(0)\"; \
         expected norm(1), value(0.5) or adaptive(0.01), with a number above 0"
    );
    assert_eq!(
        refusal("model.activation={name=\"elu\", alpha=-1}"),
        "--set model.activation={name=\"elu\", alpha=-1}: `model.activation.alpha` is -1; it must be a finite number, 0 or more"
    );
    assert_eq!(
        refusal("train.schedule={name=\"cosine\", every=\"3 epochs\"}"),
        "--set train.schedule={name=\"cosine\", every=\"3 epochs\"}: unknown key `train.schedule.every`; \
         \"cosine\" has no `every`, it belongs to step; \"cosine\" has min_lr, over, warmup"
    );
}

#[test]
fn an_unknown_name_gets_the_nearest_one() {
    assert_eq!(
        refused("train.optimizer.name = \"adm\""),
        format!(
            "r.toml:2: `train.optimizer.name` is \"adm\", which is not an optimizer; did you mean \"adam\"? \
             Known: {}",
            optimizers()
        )
    );
    assert_eq!(
        refused("train.optimizer = \"zebra\""),
        format!(
            "r.toml:2: `train.optimizer` is \"zebra\", which is not an optimizer; known: {}",
            optimizers()
        )
    );
    assert_eq!(
        refused("model.activation = \"Relu\""),
        format!(
            "r.toml:2: `model.activation` is \"Relu\", which is not an activation; did you mean \"relu\"? Known: {}",
            activations()
        )
    );
    assert_eq!(
        refused("model.layers = [\"flaten\"]"),
        format!(
            "r.toml:2: `model.layers[0]` is \"flaten\", which is not a layer; did you mean \"flatten\"? Known: {}",
            layers()
        )
    );
    assert_eq!(
        refused("train.precision = \"f16\""),
        "r.toml:2: `train.precision` is \"f16\", which is not a precision; did you mean \"bf16\"? \
         Known: f32, bf16, f64"
    );
}

#[test]
fn a_missing_key_says_what_it_takes() {
    assert_eq!(
        refusal("train.epochs = 1"),
        "r.toml: `data.source` is missing; it takes text (the data: `digits`, `mnist`, `fashion-mnist`, `cifar10`, \
         `omniglot`, `omniglot-small`, `moons`, `rings`, `xor`, `sine`, `outliers`, a table (`.csv`, `.tsv`, `.parquet`), \
         NumPy arrays (`.npy`, `.npz`), a folder of class folders of images, or a `.zip` of one)"
    );
    assert_eq!(
        refused("model.layers = [{ type = \"conv\" }]"),
        "r.toml:2: `model.layers[0].channels` is missing; it takes a whole number (channels out)"
    );
    assert_eq!(
        refused("model.layers = [{ size = 2 }]"),
        format!("r.toml:2: `model.layers[0].type` is missing; it takes one of {}", layers())
    );
}

#[test]
fn a_value_of_another_type_is_named_with_what_was_expected() {
    let cases = [
        ("train.epochs = \"ten\"", "`train.epochs` is the text \"ten\"; expected a whole number"),
        ("train.epochs = 1.5", "`train.epochs` is the number 1.5; expected a whole number"),
        ("train.optimizer.lr = \"small\"", "`train.optimizer.lr` is the text \"small\"; expected a number"),
        ("train.lr = true", "`train.optimizer.lr` is true; expected a number"),
        (
            "model.batch_norm = 1",
            "`model.batch_norm` is the whole number 1; expected one of none, before_activation, after_activation, false, true",
        ),
        ("model.hidden = 64", "`model.hidden` is the whole number 64; expected a list of whole numbers"),
        ("model.hidden = [64, \"a\"]", "`model.hidden` is a list; expected a list of whole numbers"),
        ("data.target = 7", "`data.target` is the whole number 7; expected text, in quotes: \"7\""),
        ("train = 3", "`train` is the whole number 3; expected a table"),
        (
            "train.schedule.warmup = 5",
            "`train.schedule.warmup` is the whole number 5; expected a length such as \"5 epochs\", \"500 steps\" or \"10 %\"",
        ),
        (
            "model.layers = [{ type = \"linear\", units = \"all\" }]",
            "`model.layers[0].units` is the text \"all\"; expected a whole number above 0, or \"classes\"",
        ),
        (
            "model.layers = \"relu\"",
            &format!("`model.layers` is the text \"relu\"; expected a list, each item one of {}", layers()),
        ),
    ];
    for (line, message) in cases {
        assert_eq!(refused(line), format!("r.toml:2: {message}"));
    }
    assert_eq!(
        refused("train.schedule = 3"),
        format!(
            "r.toml:2: `train.schedule` is the whole number 3; expected a table or one of {}",
            schedules()
        )
    );
    assert_eq!(
        refused("model.layers = \"relu\""),
        format!(
            "r.toml:2: `model.layers` is the text \"relu\"; expected a list, each item one of {}",
            layers()
        )
    );
    let message = refused("train.loss = 2026-01-02");
    assert!(
        message.starts_with(
            "r.toml:2: `train.loss` is the date 2026-01-02; expected one of auto, cross_entropy, focal,"
        ) && message.ends_with("; or a table of its name and settings"),
        "{message}"
    );
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_with_what_is_allowed() {
    let cases = [
        ("train.epochs = 0", "`train.epochs` is 0; it must be 1 or more"),
        ("train.epochs = -3", "`train.epochs` is -3; it must be 0 or more"),
        ("train.batch_size = 0", "`train.batch_size` is 0; it must be 1 or more"),
        ("train.lr = nan", "`train.optimizer.lr` is nan; it must be a finite number above 0"),
        ("train.lr = inf", "`train.optimizer.lr` is inf; it must be a finite number above 0"),
        ("train.lr = 0", "`train.optimizer.lr` is 0; it must be a finite number above 0"),
        ("train.lr = -1e-3", "`train.optimizer.lr` is -0.001; it must be a finite number above 0"),
        ("train.optimizer.beta2 = 1.0", "`train.optimizer.beta2` is 1.0; it must be from 0 to below 1"),
        (
            "train.optimizer.weight_decay = -0.1",
            "`train.optimizer.weight_decay` is -0.1; it must be a finite number, 0 or more",
        ),
        ("model.dropout = 1", "`model.dropout` is 1; it must be from 0 to below 1"),
        ("model.dropout = nan", "`model.dropout` is nan; it must be from 0 to below 1"),
        (
            "model.hidden = [64, 0]",
            "`model.hidden` is [64, 0]; it must be a list of whole numbers, each 1 or more",
        ),
        ("data.split.train = 0", "`data.split.train` is 0; it must be above 0 and at most 1"),
        ("data.split.valid = 1.5", "`data.split.valid` is 1.5; it must be from 0 to 1"),
        ("data.target = 7 # no text", "`data.target` is the whole number 7; expected text, in quotes: \"7\""),
        (
            "[data.split]\ntrain = 0.9",
            "`data.split` is train 0.9 + valid 0.1 + test 0.1 = 1.100; it must be at most 1 in all",
        ),
        (
            "train.schedule.min_lr = 0.5",
            "`train.schedule.min_lr` is 0.5; it must be at most the learning rate (0.001)",
        ),
        (
            "train.schedule.warmup = \"10 epochs\"",
            "`train.schedule.warmup` is \"10 epochs\"; it must be less than the run, `train.epochs` (10)",
        ),
        (
            "model.layers = [{ type = \"maxpool\", stride = 0 }]",
            "`model.layers[0].stride` is 0; it must be 1 or more",
        ),
    ];
    for (line, message) in cases {
        assert_eq!(refused(line), format!("r.toml:2: {message}"));
    }
    assert_eq!(refusal("data.source = \" \""), "r.toml:1: `data.source` is \" \"; it must be some text");
}

#[test]
fn two_settings_that_exclude_each_other_are_refused() {
    assert_eq!(
        refused("train.lr = 0.1\ntrain.optimizer.lr = 0.2"),
        "r.toml:2: `train.lr` and `train.optimizer.lr` are the same setting; keep one of them"
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let message = refusal("[data]\nsource = \"digits\n");
    assert!(message.starts_with("r.toml:2: this is not TOML: "), "{message}");
    let message = refusal("a = 1\na = 2\n");
    assert!(message.starts_with("r.toml:2: this is not TOML: duplicate key"), "{message}");
    let message = refusal("a = 99999999999999999999\n");
    assert_eq!(message, "r.toml:1: this is not TOML: the number 99999999999999999999 does not fit 64 bits");
}

#[test]
fn a_mistake_in_set_names_the_argument() {
    let message = |assignment: &str| set(&[assignment]).expect_err(assignment).to_string();
    assert_eq!(
        message("train.optimiser=sgd"),
        "--set train.optimiser=sgd: unknown key `train.optimiser`; did you mean `train.optimizer`?"
    );
    assert_eq!(
        message("train.lr=NaN"),
        "--set train.lr=NaN: `train.optimizer.lr` is nan; it must be a finite number above 0"
    );
    assert_eq!(
        message("train.lr"),
        "--set train.lr: there is no `=`; write it as key=value, for example --set train.lr=3e-4"
    );
    assert_eq!(
        message("=3"),
        "--set =3: there is no key before the `=`; write it as key=value, for example --set train.lr=3e-4"
    );
    assert_eq!(
        message("model.hidden=[3,"),
        "--set model.hidden=[3,: this is not TOML: \"[3,\" is neither a TOML value nor a bare word"
    );
    assert_eq!(
        message("train.epochs=many"),
        "--set train.epochs=many: `train.epochs` is the text \"many\"; expected a whole number"
    );
    assert_eq!(
        message("train.epochs.x=3"),
        "--set train.epochs.x=3: `train.epochs` is a table; expected a whole number"
    );
}
