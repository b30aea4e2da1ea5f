import type { GenericSchema, InferOutput } from 'valibot';

/** A heading of the help. */
export type OptionGroup =
  | 'Model:'
  | 'How much goes (one of the first three):'
  | 'What may go:'
  | 'What goes first:'
  | 'Proof:'
  | 'Data:'
  | 'Training:'
  | 'Measurement:';

/**
 * One option, described once: the types of the library, the checks, the defaults, the flag of the command line with its
 * help, and the JSON Schema of configuration files all follow from this.
 */
export interface Option {
  /** What it may be. Its messages are remedies: `use a number in [0, 1)`. */
  readonly schema: GenericSchema;
  /** Whether it has to be given. */
  readonly required?: true;
  /** What it is unless it is given. */
  readonly default?: unknown;
  /** The default in words, where it follows from other options, the model or the machine. */
  readonly otherwise?: string;
  /** One line for people. Undefined for what only a program can give: functions, signals. */
  readonly help?: string;
  /** The form of the command line: `--ratio <share>`. Undefined: only a program or a configuration file can give it. */
  readonly flag?: string;
  /** Heading it stands under in the help; `Options:` by default. */
  readonly group?: OptionGroup | (string & {});
  /** The flag that switches it off, and what it then is. */
  readonly off?: { readonly flag: string; readonly help: string; readonly value: unknown };
  /** An older word for another option: understood, but not offered. */
  readonly old?: true;
  /** How the text of the flag is read, where the schema doesn't say. */
  readonly fromText?: (text: string) => unknown;
}

/** Options by the name that the library gives them. */
export type Options = Readonly<Record<string, Option>>;

/** What a caller may give: any of the options, each as its schema has it. */
export type OptionsOf<Table extends Options> = {
  readonly [Name in keyof Table]?: InferOutput<Table[Name]['schema']> | undefined;
};

type Defaulted<Table extends Options> = {
  [Name in keyof Table]: Table[Name] extends { readonly default: unknown } ? Name : never;
}[keyof Table];

/** The same where nothing is left to a default that doesn't depend on the rest. */
export type WithDefaults<Table extends Options> = {
  readonly [Name in Defaulted<Table>]: InferOutput<Table[Name]['schema']>;
} & {
  readonly [Name in Exclude<keyof Table, Defaulted<Table>>]?: InferOutput<Table[Name]['schema']> | undefined;
};

/**
 * A table for options whose type stands elsewhere: an option that the table lacks, has too many or describes as something
 * else doesn't compile.
 */
export type TableOf<Given extends object> = {
  readonly [Name in keyof Given]-?: Option & {
    readonly schema: GenericSchema<unknown, Exclude<Given[Name], undefined>>;
  };
};
