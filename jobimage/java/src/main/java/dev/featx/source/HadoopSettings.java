package dev.featx.source;

import java.util.Map;
import org.apache.hadoop.conf.Configuration;

/** Creates Hadoop configurations for objects that the driver creates through py4j. */
public final class HadoopSettings {
  private HadoopSettings() {}

  /** Returns Hadoop's defaults with a run's settings. */
  public static Configuration withDefaults(Map<String, String> settings) {
    return of(new Configuration(), settings);
  }

  /** Returns a run's settings alone, for libraries with their own defaults. */
  static Configuration withoutDefaults(Map<String, String> settings) {
    return of(new Configuration(false), settings);
  }

  private static Configuration of(Configuration conf, Map<String, String> settings) {
    settings.forEach(conf::set);
    return conf;
  }
}
